import { type DescMethod, type DescService, getOption, hasOption } from "@bufbuild/protobuf";
import { access } from "../../gen/lumetry/access/v1/access_pb.js";
import { ConfigService } from "../../gen/lumetry/edge/v1/config_service_pb.js";
import { CredentialService } from "../../gen/lumetry/edge/v1/credential_service_pb.js";
import { EnrollmentService } from "../../gen/lumetry/edge/v1/enrollment_service_pb.js";
import { HeartbeatService } from "../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { MetricsService } from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";

/** The services that agents call; the contract says which of their methods are relayed. */
const SERVICES: DescService[] = [
  ConfigService,
  CredentialService,
  EnrollmentService,
  HeartbeatService,
  MetricsService,
];

const isRelayable = (method: DescMethod) =>
  hasOption(method, access) && getOption(method, access).relayable;

/** The paths that a collector passes on, exactly as they are written; nothing else is. */
export const relayedPaths: ReadonlySet<string> = new Set(
  SERVICES.flatMap((service) => service.methods)
    .filter(isRelayable)
    .map((method) => `/${method.parent.typeName}/${method.name}`),
);
