/** Where the load goes: straight to the server, or through one of the two in between. */
export interface Front {
  name: "straight" | "nginx" | "collector";
  port: number;
  /** The process in between. */
  pid: number | undefined;
  /** The authority to trust, where it is not the server's. */
  ca?: string;
}
