const DAY_MS = 86_400_000;

/** How long a token or a key may live, to choose from; 0 is for ever, where that is allowed. */
export const LIFETIMES = [
  { value: DAY_MS, label: "1 day" },
  { value: 7 * DAY_MS, label: "7 days" },
  { value: 30 * DAY_MS, label: "30 days" },
  { value: 90 * DAY_MS, label: "90 days" },
  { value: 365 * DAY_MS, label: "a year" },
];
export const FOR_EVER = { value: 0, label: "until it is revoked" };
