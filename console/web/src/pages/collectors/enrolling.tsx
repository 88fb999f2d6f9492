import { timestampMs } from "@bufbuild/protobuf/wkt";
import { useQuery } from "@connectrpc/connect-query";
import { useState } from "react";
import { useLocation } from "wouter";
import {
  CollectorService,
  type CreateCollectorResponse,
} from "../../../../../gen/lumetry/v1/collector_service_pb.js";
import { EdgeStatus as Status } from "../../../../../gen/lumetry/v1/edge_pb.js";
import { every, PACE } from "../../client/live.ts";
import { Age, useTimeLeft } from "../../ui/age.tsx";
import { Button, Segments } from "../../ui/button.tsx";
import { Copyable } from "../../ui/copy.tsx";
import { Notice } from "../../ui/notice.tsx";
import { Tip } from "../../ui/tip.tsx";
import { exactText } from "../../words/moments.ts";

/** What makes a token: it comes with the command that installs the collector. */
export type Minted = Pick<CreateCollectorResponse, "enrollmentToken" | "commands">;

type ByHand = "command" | "file" | "systemd";
type Way = "installer" | ByHand;

/** In single quotes, which keep everything but themselves as it is. */
export const quoted = (text: string) =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

function commandFor(way: ByHand, server: string, secret: string): string {
  const url = quoted(server);
  switch (way) {
    case "command":
      return `LUMETRY_ENROLLMENT_TOKEN=${secret} \\\n  lumetry collector --server ${url}`;
    case "file":
      return `(umask 077; cat > token) <<< ${secret}\nlumetry collector --server ${url} --enrollment-token-file token`;
    case "systemd":
      return [
        "[Service]",
        "User=lumetry",
        "StateDirectory=lumetry-collector",
        `Environment=LUMETRY_SERVER=${server}`,
        `Environment=LUMETRY_ENROLLMENT_TOKEN=${secret}`,
        "ExecStart=/opt/lumetry/bin/lumetry.js collector --data-dir /var/lib/lumetry-collector",
        "Restart=always",
        "RestartPreventExitStatus=2 78",
      ].join("\n");
  }
}

const isThisMachine = /^(localhost|127\.|\[::1\])/.test(location.hostname);

/** The token, the commands to run on the host, and what the server hears of it meanwhile. */
export function Enrolling(props: { collectorId: string; minted: Minted; onDone: () => void }) {
  const { collectorId, minted, onDone } = props;
  const { enrollmentToken: token, commands } = minted;
  const installer = commands?.linux ?? "";
  const [way, setWay] = useState<Way>(installer ? "installer" : "command");
  const [, navigate] = useLocation();
  const left = useTimeLeft(token?.expireTime);
  const { data } = useQuery(
    CollectorService.method.getCollector,
    { collectorId },
    { refetchInterval: every(PACE.watch) },
  );
  const collector = data?.collector;
  const hasCome = collector !== undefined && collector.status !== Status.PENDING;

  return (
    <>
      <Segments<Way>
        label="How to start it"
        value={way}
        onChange={setWay}
        options={[
          ...(installer ? [{ value: "installer" as const, label: "Install on Linux" }] : []),
          { value: "command", label: "Command" },
          { value: "file", label: "Token in a file" },
          { value: "systemd", label: "systemd" },
        ]}
      />
      <Copyable
        text={
          way === "installer" ? installer : commandFor(way, location.origin, token?.secret ?? "")
        }
        label=""
      />
      <div className="form">
        <p>
          The token is shown this once only. It works once
          {token?.expireTime && (
            <Tip text={exactText(timestampMs(token.expireTime))}>
              <span>{left ? `, within ${left}` : "; its time is over: replace it"}</span>
            </Tip>
          )}
          .
        </p>
        {way !== "installer" && (
          <p className="soft">
            If the server made its certificate itself, copy <code>ca.crt</code> from its data
            directory to the host and add <code>--ca ca.crt</code>.
            {isThisMachine &&
              ` Another machine reaches this server by a name of its own in place of ${location.origin}.`}
          </p>
        )}
        {(way === "installer" || !installer) &&
          commands?.notes.map((note) => (
            <p key={note} className="soft foreign">
              {note}
            </p>
          ))}
      </div>
      {hasCome ? (
        <Notice tone="good">
          <p className="strong">
            It has enrolled
            {collector.host && (
              <>
                {" "}
                on <span className="foreign">{collector.host.hostname}</span>
              </>
            )}
            .
          </p>
          <p>
            {collector.lastSeenTime ? (
              <>
                Last heard of <Age time={collector.lastSeenTime} />; its first points follow within
                a minute.
              </>
            ) : (
              "Its first heartbeat is on the way."
            )}
          </p>
        </Notice>
      ) : (
        <Notice>
          <p aria-live="polite">Waiting for the collector to enroll…</p>
        </Notice>
      )}
      <div className="form-end">
        <Button
          kind={hasCome ? "main" : "plain"}
          onClick={() => {
            onDone();
            navigate(`/collectors/${collectorId}`);
          }}
        >
          {hasCome ? "Show the collector" : "I have the token"}
        </Button>
      </div>
    </>
  );
}
