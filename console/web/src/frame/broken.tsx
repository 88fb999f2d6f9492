import { Component, type ReactNode } from "react";
import { Button } from "../ui/button.tsx";
import { Empty } from "../ui/notice.tsx";

/**
 * Keeps a page that cannot be drawn from taking the others along. A part that cannot be loaded is
 * of a release that the server no longer runs: loading the page again brings the new one.
 */
export class Broken extends Component<{ children: ReactNode }, { error?: unknown }> {
  override state: { error?: unknown } = {};

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override componentDidMount() {
    addEventListener("popstate", this.recover);
  }
  override componentWillUnmount() {
    removeEventListener("popstate", this.recover);
  }
  recover = () => {
    if (this.state.error !== undefined) this.setState({ error: undefined });
  };

  override render() {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    const isOld = /dynamically imported module|module script/i.test(String(error));
    return (
      <Empty
        title={isOld ? "Lumetry was updated" : "This page could not be drawn"}
        actions={
          <Button kind="main" onClick={() => location.reload()}>
            Load it again
          </Button>
        }
      >
        <p>
          {isOld
            ? "The server runs another release than the one that this page belongs to."
            : `That is a mistake in the console, not in what you did: ${String(error)}`}
        </p>
      </Empty>
    );
  }
}
