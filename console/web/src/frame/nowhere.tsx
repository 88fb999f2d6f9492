import { Link } from "wouter";
import { Empty } from "../ui/notice.tsx";

export function Nowhere() {
  return (
    <Empty
      title="There is nothing at this address"
      actions={
        <Link className="button" href="/">
          Go to the overview
        </Link>
      }
    >
      <p>It may have been removed, or the address was not copied whole.</p>
    </Empty>
  );
}
