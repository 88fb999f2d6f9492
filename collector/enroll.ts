import type { Redeem } from "../edge/enroll.ts";

/** Redeems the one-time token of a registered collector. */
export const enrollCollector: Redeem = async (upstream, introduction, signal) => {
  const { collectorId, credential } = await upstream.enrollment.enrollCollector(introduction, {
    signal,
  });
  return { edgeId: collectorId, credential };
};
