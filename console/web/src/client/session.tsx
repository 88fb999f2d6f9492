import { useMutation, useQuery } from "@connectrpc/connect-query";
import { createContext, type ReactNode, useContext } from "react";
import type { Role } from "../../../../gen/lumetry/access/v1/access_pb.js";
import {
  type GetSessionResponse,
  SessionService,
} from "../../../../gen/lumetry/v1/session_service_pb.js";
import { SetupService } from "../../../../gen/lumetry/v1/setup_service_pb.js";
import { queryClient } from "./live.ts";

export interface Self extends GetSessionResponse {
  /** Whether this person's role is at least that one. */
  may(role: Role): boolean;
}

const Context = createContext<Self | undefined>(undefined);

/** Who looks at the page; only within what a signed-in person sees. */
export function useSelf(): Self {
  const self = useContext(Context);
  if (!self) throw new Error("nobody is signed in here");
  return self;
}

export function SelfProvider(props: { session: GetSessionResponse; children: ReactNode }) {
  const { session, children } = props;
  const self = { ...session, may: (role: Role) => session.role >= role };
  return <Context value={self}>{children}</Context>;
}

/** What is known of the session when the page starts. */
export function useWhoIsThere() {
  const session = useQuery(
    SessionService.method.getSession,
    {},
    { retry: false, staleTime: 60_000 },
  );
  const setup = useQuery(
    SetupService.method.getSetup,
    {},
    { enabled: session.isError, retry: false },
  );
  return { session, setup };
}

/** Throws away all that was seen, and asks again who is there. */
export async function startOver(): Promise<void> {
  await queryClient.resetQueries();
}

export function useSignOut() {
  return useMutation(SessionService.method.deleteSession, {
    onSettled: () => {
      queryClient.clear();
      // A fresh page keeps nothing of what this one has seen.
      location.assign("/");
    },
  });
}
