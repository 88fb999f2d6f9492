import type { JsonValue } from "@bufbuild/protobuf";
import type { Filled } from "../db/database.ts";

export interface RouteTables {
  notification_routes: {
    workspace_id: string;
    route_id: string;
    position: number;
    display_name: string;
    /** The JSON form of lumetry.v1.NotificationRouteSettings, without its channels. */
    settings: JsonValue;
    created_at: Filled<Date>;
    updated_at: Filled<Date>;
  };
  notification_route_channels: {
    workspace_id: string;
    route_id: string;
    channel_id: string;
    place: number;
  };
}
