import { useQuery } from "@connectrpc/connect-query";
import { ChannelService } from "../../../../gen/lumetry/v1/channel_service_pb.js";
import { every, PACE } from "./live.ts";

/** The channels by name, as many as a choice can hold, and what each id is called. */
export function useChannels() {
  const { data } = useQuery(
    ChannelService.method.listChannels,
    { pageSize: 200 },
    { refetchInterval: every(PACE.calm) },
  );
  const channels = data?.channels ?? [];
  return {
    channels,
    nameOf: (channelId: string) =>
      channels.find((channel) => channel.channelId === channelId)?.displayName ?? channelId,
  };
}
