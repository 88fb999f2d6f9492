/** A process with a collector's relay and nothing else. Tells its port to who started it. */
import { startRelay } from "../../../collector/relay/relay.ts";
import { systemClock } from "../../../lib/clock.ts";
import { silentLog } from "../../../lib/log.ts";
import { ANY_CREDENTIAL } from "../../support/relay.ts";

const [server = "", caFile = "", dataDir = ""] = process.argv.slice(2);
const relay = await startRelay(
  {
    ...{ listen: { host: "127.0.0.1", port: 0 }, server, caFile, dataDir },
    limits: { callsPerAddress: 1_000, connectionsPerAddress: 1_000 },
  },
  { credential: () => ANY_CREDENTIAL, clock: systemClock, log: silentLog },
);
await relay.listening;
process.send?.(relay.port);
process.once("disconnect", () => process.exit());
