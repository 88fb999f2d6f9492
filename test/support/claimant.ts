import { claimDirectory, DirectoryClaimed } from "../../lib/claim.ts";

/** Run as a process of its own: claims the directory of its argument and lets go of it when told. */
let claim: Disposable | undefined;

function tryToClaim(): string {
  try {
    claim = claimDirectory(process.argv[2] ?? "");
    return "won";
  } catch (error) {
    if (error instanceof DirectoryClaimed) return "lost";
    throw error;
  }
}

process.on("message", (order) => {
  if (order === "claim") process.send?.(tryToClaim());
  else {
    claim?.[Symbol.dispose]();
    claim = undefined;
    process.send?.("released");
  }
});
process.send?.("ready");
