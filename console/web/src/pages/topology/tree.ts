import type { TopologyNode } from "../../../../../gen/lumetry/v1/topology_service_pb.js";

/** Each place below the one that it is in, by name, with how deep it lies. */
export function asTree(nodes: TopologyNode[]): { node: TopologyNode; depth: number }[] {
  const known = new Set(nodes.map(({ nodeId }) => nodeId));
  const within = Map.groupBy(nodes, ({ parentId }) => (known.has(parentId) ? parentId : ""));
  const list = (parentId: string, depth: number): { node: TopologyNode; depth: number }[] =>
    (within.get(parentId) ?? [])
      .toSorted((a, b) => a.displayName.localeCompare(b.displayName))
      .flatMap((node) => [{ node, depth }, ...list(node.nodeId, depth + 1)]);
  return list("", 0);
}
