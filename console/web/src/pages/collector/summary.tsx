import { Link } from "wouter";
import { CapabilitySchema } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import type { Collector } from "../../../../../gen/lumetry/v1/collector_pb.js";
import { EdgeStatus as Status } from "../../../../../gen/lumetry/v1/edge_pb.js";
import { useZones } from "../../client/zones.ts";
import { healthFacts } from "../../edges/facts.tsx";
import { systemText } from "../../edges/words.tsx";
import { Age } from "../../ui/age.tsx";
import { Facts } from "../../ui/page.tsx";
import { enumWord } from "../../words/counts.ts";

export function Summary({ collector }: { collector: Collector }) {
  const { nameOf } = useZones();
  const { host, status } = collector;
  const capabilities = (list: number[]) =>
    list.map((each) => enumWord(CapabilitySchema, each)).join(", ");
  return (
    <div className="halves">
      <div className="card padded">
        <Facts
          entries={[
            ["Id", <code key="id">{collector.collectorId}</code>],
            [
              "Zone",
              <Link key="zone" href="/zones">
                {nameOf(collector.zoneId)}
              </Link>,
            ],
            ["Host", host?.hostname],
            ["System", host && systemText(host)],
            ["Version", collector.version],
            ["Created", <Age key="created" time={collector.createTime} />],
            ["Enrolled", collector.enrollTime && <Age time={collector.enrollTime} />],
            [
              collector.enrollmentTokenExpired ? "Token expired" : "Token ends",
              status === Status.PENDING && <Age time={collector.enrollmentTokenExpireTime} />,
            ],
            ["Revoked", collector.revokeTime && <Age time={collector.revokeTime} />],
          ]}
        />
      </div>
      <div className="card padded">
        <Facts
          entries={[
            ...healthFacts(collector),
            ["Granted", capabilities(collector.grantedCapabilities)],
            ["Declared", capabilities(collector.declaredCapabilities)],
          ]}
        />
      </div>
    </div>
  );
}
