/** Told apart by people of all kinds of colour vision, on the ground of each theme. */
const LIGHT = [
  "#0b6f8a",
  "#b8560b",
  "#5b4bb5",
  "#1c7a3c",
  "#b0265f",
  "#7a6200",
  "#2f62c9",
  "#8a3a1f",
  "#127a74",
  "#8b3fa0",
  "#55702a",
  "#a12d2d",
];
const DARK = [
  "#52c3de",
  "#f2a25c",
  "#a99bf5",
  "#63cf8a",
  "#f286b3",
  "#dcc04f",
  "#82abff",
  "#e59a7c",
  "#5fd6cb",
  "#d79bea",
  "#aacb72",
  "#ff9a93",
];

export const colourOf = (index: number, isDark: boolean): string => {
  const colours = isDark ? DARK : LIGHT;
  return colours[index % colours.length] ?? "";
};

export const inkOf = (isDark: boolean) =>
  isDark
    ? { text: "#9ea8b4", grid: "#232a32", lost: "rgb(255 144 137 / 0.16)", bound: "#ff9089" }
    : { text: "#545e6a", grid: "#e7eaee", lost: "rgb(176 31 31 / 0.10)", bound: "#b01f1f" };
