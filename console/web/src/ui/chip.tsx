import { Icon } from "./icon.tsx";

/** A condition that holds, and a way to lift it. */
export function Chip(props: { text: string; remove: string; onRemove: () => void }) {
  return (
    <span className="chip">
      <span className="cut foreign">{props.text}</span>
      <button type="button" aria-label={props.remove} onClick={props.onRemove}>
        <Icon name="close" size={12} />
      </button>
    </span>
  );
}
