import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import { useLocation } from "wouter";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import { type Source, SourceService } from "../../../../../gen/lumetry/v1/source_service_pb.js";
import { queryClient } from "../../client/live.ts";
import { useSelf } from "../../client/session.tsx";
import { TestRun, useTestRun } from "../../sources/test-run.tsx";
import { Button } from "../../ui/button.tsx";
import { Confirm, Dialog } from "../../ui/dialog.tsx";
import { Menu, MenuItem, MenuLine } from "../../ui/menu.tsx";
import { say, sayFailure } from "../../ui/toast.tsx";

/** What can be done with a source, by those who may. */
export function Actions({ source }: { source: Source }) {
  const self = useSelf();
  const { sourceId, displayName, paused } = source;
  const [, navigate] = useLocation();
  const [asked, setAsked] = useState<"test" | "delete">();
  const { run, start, stop } = useTestRun();
  const refresh = () => queryClient.invalidateQueries();
  const pause = useMutation(SourceService.method.pauseSource, { onSuccess: refresh });
  const resume = useMutation(SourceService.method.resumeSource, { onSuccess: refresh });
  const remove = useMutation(SourceService.method.deleteSource, {
    onSuccess: () => {
      say(`${displayName} is deleted; its points stay.`);
      navigate("/sources");
      refresh();
    },
  });
  if (!self.may(Role.OPERATOR)) return null;
  const toggle = async () => {
    const [now, back] = paused ? [resume, pause] : [pause, resume];
    try {
      await now.mutateAsync({ sourceId });
    } catch (error) {
      return sayFailure(error);
    }
    say(paused ? `${displayName} is polled again.` : `${displayName} is not polled any more.`, {
      label: "Undo",
      run: () => back.mutateAsync({ sourceId }),
    });
  };
  const test = () => {
    setAsked("test");
    void start({ case: "sourceId", value: sourceId });
  };
  return (
    <>
      <Button kind="main" icon="play" onClick={test}>
        Test now
      </Button>
      <Button busy={pause.isPending || resume.isPending} onClick={() => void toggle()}>
        {paused ? "Resume" : "Pause"}
      </Button>
      <Menu trigger={<Button icon="more">Actions</Button>}>
        <MenuItem onClick={() => navigate(`/sources/${sourceId}/edit`)}>Edit…</MenuItem>
        <MenuLine />
        <MenuItem tone="bad" onClick={() => setAsked("delete")}>
          Delete…
        </MenuItem>
      </Menu>
      <Dialog
        open={asked === "test"}
        onClose={() => {
          stop();
          setAsked(undefined);
        }}
        wide
        title={`A test of ${displayName}`}
      >
        <TestRun run={run} onStop={stop} />
        <div className="form-end">
          <Button busy={run?.isRunning ?? false} onClick={test}>
            Test again
          </Button>
        </div>
      </Dialog>
      <Confirm
        open={asked === "delete"}
        onClose={() => setAsked(undefined)}
        title={`Delete the source ${displayName}`}
        submit="Delete"
        word={displayName}
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate({ sourceId })}
      >
        <p>
          It is polled no more, and its settings and secrets are gone for good. What it has brought
          so far stays.
        </p>
      </Confirm>
    </>
  );
}
