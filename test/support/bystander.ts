import { type Client, createClient } from "@connectrpc/connect";
import { ZoneService } from "../../gen/lumetry/v1/zone_service_pb.js";
import type { TestServer } from "./server.ts";

/** A healthy client that keeps calling, over both versions of HTTP, while others misbehave. */
export interface Bystander {
  /** Stops, and tells how its calls went. */
  stop(): Promise<{ served: number; failures: string[] }>;
}

export function startBystander(server: TestServer, token: string): Bystander {
  const clients = (["1.1", "2"] as const).map((httpVersion) =>
    createClient(ZoneService, server.transport({ token, httpVersion })),
  );
  let stopped = false;
  let served = 0;
  const failures: string[] = [];
  const keepCalling = async (client: Client<typeof ZoneService>) => {
    while (!stopped) {
      try {
        await client.listZones({});
        served += 1;
      } catch (error) {
        failures.push(String(error));
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const done = Promise.all(clients.map(keepCalling));
  return {
    async stop() {
      stopped = true;
      await done;
      return { served, failures };
    },
  };
}
