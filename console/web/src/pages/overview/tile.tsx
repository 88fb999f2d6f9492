import type { ReactNode } from "react";
import { Link } from "wouter";

/** One number that says how things are, and where to see more. Its room is there before it is known. */
export function Tile(props: {
  href?: string;
  name: string;
  figure: ReactNode;
  more: ReactNode;
  tone?: "warn" | "good" | "bad";
}) {
  const { href, name, figure, more, tone } = props;
  const body = (
    <>
      <span className="name">{name}</span>
      <span className={`figure ${tone ?? ""}`}>{figure || <span className="blank" />}</span>
      <span className="more">{more}</span>
    </>
  );
  return href ? (
    <Link className="tile" href={href}>
      {body}
    </Link>
  ) : (
    <div className="tile">{body}</div>
  );
}
