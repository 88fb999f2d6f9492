import { useQuery } from "@connectrpc/connect-query";
import { useState } from "react";
import { Link } from "wouter";
import { AgentService } from "../../../../../gen/lumetry/v1/agent_service_pb.js";
import {
  type CreateEnrollmentProfileResponse,
  EnrollmentProfileService,
} from "../../../../../gen/lumetry/v1/enrollment_profile_service_pb.js";
import { every, PACE } from "../../client/live.ts";
import { systemText } from "../../edges/words.tsx";
import { Age, useTimeLeft } from "../../ui/age.tsx";
import { Button, Segments } from "../../ui/button.tsx";
import { Copyable } from "../../ui/copy.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Notice } from "../../ui/notice.tsx";
import { countText } from "../../words/counts.ts";

type System = "linux" | "windows" | "program";
const NAMES: Record<System, string> = {
  linux: "Linux",
  windows: "Windows Server",
  program: "With this program",
};
const MOST_SHOWN = 50;

/** The commands, shown this once with their token, and the hosts as they arrive. */
export function Arrivals(props: { created: CreateEnrollmentProfileResponse; onDone: () => void }) {
  const { created, onDone } = props;
  const { commands, profile } = created;
  const profileId = profile?.profileId ?? "";
  const given = (["linux", "windows", "program"] as const).filter((each) => commands?.[each]);
  const [system, setSystem] = useState<System>(given[0] ?? "program");
  const live = { refetchInterval: every(PACE.watch) };
  const now = useQuery(EnrollmentProfileService.method.getEnrollmentProfile, { profileId }, live);
  const agents = useQuery(
    AgentService.method.listAgents,
    { profileId, pageSize: MOST_SHOWN },
    live,
  );
  const left = useTimeLeft(profile?.expireTime);
  const remaining = now.data?.profile?.remainingUses ?? profile?.remainingUses ?? 0;
  const arrived = agents.data?.agents ?? [];
  return (
    <Dialog
      open
      onClose={onDone}
      firm
      wide
      title={`Run this on the hosts of ${profile?.displayName}`}
    >
      <Segments<System>
        label="For which system"
        value={system}
        onChange={setSystem}
        options={given.map((value) => ({ value, label: NAMES[value] }))}
      />
      <Copyable text={commands?.[system] ?? ""} label="" />
      <p>
        The token in it is shown this once only. {countText(remaining)} more{" "}
        {remaining === 1 ? "host" : "hosts"} may enroll with it{left ? `, within ${left}` : ""}.
      </p>
      {commands?.notes.map((note) => (
        <p key={note} className="soft foreign">
          {note}
        </p>
      ))}
      {arrived.length === 0 ? (
        <Notice>
          <p aria-live="polite">Waiting for the first host to enroll…</p>
        </Notice>
      ) : (
        <div className="card">
          <ul className="matters" aria-label="Hosts that have enrolled">
            {arrived.map((agent) => (
              <li key={agent.agentId}>
                <span className="good">●</span>
                <span>
                  <Link className="strong foreign" href={`/agents/${agent.agentId}`}>
                    {agent.displayName}
                  </Link>{" "}
                  <span className="soft foreign">
                    {agent.host && systemText(agent.host)}
                    {agent.path?.collectorName && ` through ${agent.path.collectorName}`}
                  </span>
                </span>
                <span className="soft">
                  <Age time={agent.enrollTime} />
                </span>
              </li>
            ))}
          </ul>
        </div>
      )}
      <div className="form-end">
        <Button kind={arrived.length > 0 ? "main" : "plain"} onClick={onDone}>
          I have the command
        </Button>
      </div>
    </Dialog>
  );
}
