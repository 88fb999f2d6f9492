import type { Invitation } from "../../gen/lumetry/v1/user_service_pb.js";
import type { Cli } from "./cli.ts";
import { plain } from "./terminal.ts";
import { deadlineText } from "./words.ts";

/** What to send to somebody who was invited; the secret is shown this once. */
export function invitationText(cli: Cli, name: string, invitation: Invitation | undefined): string {
  const { url, caFile } = cli.place() ?? { url: "", caFile: undefined };
  const ca = caFile === undefined ? "" : " --ca ca.pem";
  return [
    `Send this to ${plain(name)} in private. It works once, until it ends ${deadlineText(invitation?.expireTime, cli.now())}:`,
    "",
    `  ${cli.terminal.paint(`lumetry login --server ${url}${ca} --invitation ${invitation?.secret}`, "bold")}`,
    ...(caFile === undefined ? [] : ["", `ca.pem is ${caFile}: send it along.`]),
    "",
    "The invitation is shown this once only.",
  ].join("\n");
}
