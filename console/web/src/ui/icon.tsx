/** Drawn on a grid of 16, in the colour of the text beside them. */
const PATHS = {
  overview: "M2 9h5V2H2zm7 5h5V7H9zM2 14h5v-3H2zm7-9h5V2H9z",
  collector: "M2 3h12v4H2zm0 6h12v4H2zM4.5 5h.01M4.5 11h.01",
  agent: "M2 3h12v8H2zM5.5 14h5M8 11v3",
  topology: "M6 2h4v3H6zM1.5 11h4v3h-4zM10.5 11h4v3h-4zM8 5v3M3.5 11V8h9v3",
  zone: "M8 14c4-4.2 5-6 5-8A5 5 0 0 0 3 6c0 2 1 3.8 5 8zM8 8a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  metrics: "M2 2v12h12M5 11l3-4 2.5 2L14 4",
  source: "M5.5 1.500v4M10.5 1.500v4M3.5 5.500h9v2a4.5 4.5 0 0 1-9 0zM8 12v2.500",
  channel: "M14.500 1.500 1.500 7l5 2.500 2.500 5zM6.500 9.500l8-8",
  work: "M8 14.500a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM8 4.500V8l2.5 1.500",
  incident:
    "M8 1.500c2.500 3 4.500 4.800 4.500 8a4.500 4.500 0 0 1-9 0c0-1.500.8-2.800 1.500-3.500.2 1.200.8 2 1.500 2C6.200 5.500 6.800 3 8 1.500z",
  alert:
    "M8 14.500c1 0 1.700-.6 1.800-1.500H6.200c.1.900.8 1.500 1.800 1.500zM3 12.500h10c-1-1-1.500-2-1.500-5a3.500 3.500 0 0 0-7 0c0 3-.5 4-1.500 5zM8 4V1.500",
  rule: "M2 11.500h12M2 4.500h12M4 9l2.500-2.500L9 9l3-3",
  watch:
    "M1.500 8s2.500-4.500 6.500-4.500S14.500 8 14.500 8s-2.500 4.500-6.500 4.500S1.500 8 1.500 8zM8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  silence: "M6 2.500 3.500 5H1.500v6h2L6 13.500zM9.500 6l4 4M13.500 6l-4 4",
  route: "M2 8h4l3-4.500h5M6 8l3 4.500h5M12 1.500l2 2-2 2M12 10.500l2 2-2 2",
  play: "M4 2.500v11l9-5.500z",
  people:
    "M6 7.500a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM1.5 13.500c.4-2.7 2-4 4.5-4s4.1 1.3 4.5 4M10.5 2.800a2.4 2.4 0 0 1 0 4.500M12 9.800c1.4.5 2.2 1.8 2.5 3.7",
  token: "M5.5 12.500a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM7.7 7.3 13.5 1.500M11 4l2 2",
  key: "M10.5 9.500a4 4 0 1 0-3.8-2.800L2 11.400V14h2.600l.1-1.5 1.5-.1.1-1.5 1.4-.100zM11 5h.01",
  audit: "M3.5 1.500h6l3 3v10h-9zM9.5 1.500v3h3M5.5 8h5M5.5 11h5",
  settings:
    "M2 4.500h7M12 4.500h2M2 11.500h2M7 11.500h7M10.5 6a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zM5.5 13a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3z",
  api: "M5 4 1.5 8 5 12M11 4l3.5 4L11 12M9.2 2.5 6.8 13.5",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM11 11l3.5 3.5",
  copy: "M5.5 5.500h8v9h-8zM10.5 5.500v-4h-8v9h3",
  check: "M2.5 8.5 6 12l7.5-8",
  close: "M3.5 3.500l9 9M12.5 3.500l-9 9",
  more: "M3 8h.01M8 8h.01M13 8h.01",
  menu: "M2 4h12M2 8h12M2 12h12",
  plus: "M8 2.500v11M2.5 8h11",
  warning: "M8 1.8 15 14H1zM8 6.500v3.500M8 12h.01",
  info: "M8 14.500a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM8 7.500v4M8 5h.01",
  up: "M8 13V3M4 7l4-4 4 4",
  down: "M8 3v10M4 9l4 4 4-4",
  next: "M6 3l5 5-5 5",
  refresh: "M13.5 8a5.5 5.5 0 1 1-1.7-4M13.5 1.500V5H10",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1v1.500M8 13.500V15M1 8h1.500M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1",
} as const;

export type IconName = keyof typeof PATHS;

/** Never the only word on a matter: a label stands beside it, or on its button. */
export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  const isDots = name === "more";
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth={isDots ? 2.4 : 1.5}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
