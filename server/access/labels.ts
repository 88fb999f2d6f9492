import { Code, ConnectError } from "@connectrpc/connect";

/** Labels of this prefix say where a point comes from; only the server sets them. */
const RESERVED = "lumetry.";

/** Refuses labels that a credential is to set on series, if one of them is Lumetry's own. */
export function refuseReservedLabels(labels: Record<string, string>): void {
  const reserved = Object.keys(labels).find((name) => name.startsWith(RESERVED));
  if (reserved === undefined) return;
  throw new ConnectError(
    `the label ${JSON.stringify(reserved)} is Lumetry's own; choose a name without "${RESERVED}"`,
    Code.InvalidArgument,
  );
}
