import { Code, ConnectError } from "@connectrpc/connect";
import { TransportProvider } from "@connectrpc/connect-query";
import { QueryClientProvider } from "@tanstack/react-query";
import { Suspense, useEffect, useState } from "react";
import { Route, Switch, useLocation } from "wouter";
import { rememberSignedIn } from "./client/early.ts";
import { queryClient } from "./client/live.ts";
import { SelfProvider, startOver, useWhoIsThere } from "./client/session.tsx";
import { transport, whenSignedOut } from "./client/transport.ts";
import { Broken } from "./frame/broken.tsx";
import { Nowhere } from "./frame/nowhere.tsx";
import { loadOverlays, Shell } from "./frame/shell.tsx";
import { Invitation } from "./pages/sign-in/invitation.tsx";
import { SetUp } from "./pages/sign-in/set-up.tsx";
import { SignIn } from "./pages/sign-in/sign-in.tsx";
import { PAGES, pageAt } from "./pages.ts";
import { Failure } from "./ui/notice.tsx";
import { Tips } from "./ui/tip.tsx";
import { Toasts } from "./ui/toast.tsx";

export function App() {
  return (
    <TransportProvider transport={transport}>
      <QueryClientProvider client={queryClient}>
        <Tips>
          <Toasts>
            <Broken>
              <Door />
            </Broken>
          </Toasts>
        </Tips>
      </QueryClientProvider>
    </TransportProvider>
  );
}

/** Lets in whoever has a session, to the page that they asked for; asks everybody else who they are. */
function Door() {
  const { session, setup } = useWhoIsThere();
  useEffect(() => whenSignedOut(() => void startOver()), []);
  const isStranger =
    session.error instanceof ConnectError && session.error.code === Code.Unauthenticated;
  useEffect(() => {
    if (session.data || isStranger) rememberSignedIn(!isStranger);
  }, [session.data, isStranger]);
  if (location.pathname === "/invitation") return <Invitation />;
  if (session.data) {
    return (
      <SelfProvider session={session.data}>
        <Inside />
      </SelfProvider>
    );
  }
  const failed = isStranger ? setup.error : session.error;
  if (failed) {
    return (
      <div className="gate">
        <Failure error={failed} onRetry={() => void startOver()} />
      </div>
    );
  }
  if (!isStranger || !setup.data) return null;
  return setup.data.completed ? <SignIn /> : <SetUp />;
}

/** Whether the page that was asked for first is there, will not come, or is not wanted any longer. */
function useFirstPage(): boolean {
  const [at] = useLocation();
  const [first] = useState(at);
  const [isThere, setThere] = useState(false);
  useEffect(() => {
    const settle = () => setThere(true);
    (pageAt(location.pathname)?.load() ?? Promise.resolve()).then(settle, settle);
  }, []);
  return isThere || at !== first;
}

function Inside() {
  const isPageThere = useFirstPage();
  // What one is likely to want next is there before it is asked for; one at a time, behind the page.
  useEffect(() => {
    const loadAll = async () => {
      await loadOverlays().catch(() => {});
      for (const { load } of PAGES) await load().catch(() => {});
    };
    const timer = setTimeout(() => void loadAll(), 1_500);
    return () => clearTimeout(timer);
  }, []);
  return (
    <Shell>
      <Broken>
        {isPageThere && (
          <Suspense fallback={null}>
            <Switch>
              {PAGES.map(({ path, Component }) => (
                <Route key={path} path={path} component={Component} />
              ))}
              <Route component={Nowhere} />
            </Switch>
          </Suspense>
        )}
      </Broken>
    </Shell>
  );
}
