import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import type pg from "pg";
import { Health } from "../gen/grpc/health/v1/health_pb.js";
import { ServerReflection as Reflection } from "../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ReflectionAlpha } from "../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { ConfigService } from "../gen/lumetry/edge/v1/config_service_pb.js";
import { CredentialService } from "../gen/lumetry/edge/v1/credential_service_pb.js";
import { EnrollmentService } from "../gen/lumetry/edge/v1/enrollment_service_pb.js";
import { HeartbeatService } from "../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { WorkService } from "../gen/lumetry/edge/v1/work_service_pb.js";
import { MetricsService } from "../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { AccessTokenService } from "../gen/lumetry/v1/access_token_service_pb.js";
import { AgentService } from "../gen/lumetry/v1/agent_service_pb.js";
import { AlertService } from "../gen/lumetry/v1/alert_service_pb.js";
import { AuditService } from "../gen/lumetry/v1/audit_service_pb.js";
import { ChannelService } from "../gen/lumetry/v1/channel_service_pb.js";
import { CollectorService } from "../gen/lumetry/v1/collector_service_pb.js";
import { ConfigurationService } from "../gen/lumetry/v1/configuration_service_pb.js";
import { EnrollmentProfileService } from "../gen/lumetry/v1/enrollment_profile_service_pb.js";
import { IncidentService } from "../gen/lumetry/v1/incident_service_pb.js";
import { IngestionKeyService } from "../gen/lumetry/v1/ingestion_key_service_pb.js";
import { MetricQueryService } from "../gen/lumetry/v1/metric_query_service_pb.js";
import { NotificationRouteService } from "../gen/lumetry/v1/notification_route_service_pb.js";
import { RuleService } from "../gen/lumetry/v1/rule_service_pb.js";
import { SessionService } from "../gen/lumetry/v1/session_service_pb.js";
import { SetupService } from "../gen/lumetry/v1/setup_service_pb.js";
import { SilenceService } from "../gen/lumetry/v1/silence_service_pb.js";
import { SourceService } from "../gen/lumetry/v1/source_service_pb.js";
import { SystemAlertService } from "../gen/lumetry/v1/system_alert_service_pb.js";
import { TopologyService } from "../gen/lumetry/v1/topology_service_pb.js";
import { UserService } from "../gen/lumetry/v1/user_service_pb.js";
import { WorkQueryService } from "../gen/lumetry/v1/work_query_service_pb.js";
import { WorkspaceService } from "../gen/lumetry/v1/workspace_service_pb.js";
import { ZoneService } from "../gen/lumetry/v1/zone_service_pb.js";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Authenticator } from "./access/authenticator.ts";
import { mostBytes } from "./access/body-limit.ts";
import type { Gate } from "./access/gate.ts";
import { agentService } from "./agents/service.ts";
import { alertService } from "./alerts/service.ts";
import { auditService } from "./audit/service.ts";
import { channelService } from "./channels/service.ts";
import { collectorService } from "./collectors/service.ts";
import { edgeConfigService } from "./configuration/edge-service.ts";
import { configurationService } from "./configuration/service.ts";
import { credentialService } from "./credentials/service.ts";
import type { Database } from "./db/database.ts";
import { enrollmentService } from "./enrollment/service.ts";
import { enrollmentProfileService } from "./enrollment-profiles/service.ts";
import { healthService } from "./health.ts";
import { heartbeatService } from "./heartbeat/service.ts";
import { incidentService } from "./incidents/service.ts";
import { metricsService } from "./ingest/service.ts";
import type { Ingest } from "./ingest/write.ts";
import { ingestionKeyService } from "./ingestion-keys/service.ts";
import type { Metrics } from "./metrics.ts";
import { notificationRouteService } from "./notification-routes/service.ts";
import type { Packages } from "./packages/packages.ts";
import { accessTokenService } from "./people/access-token-service.ts";
import { makePasswords } from "./people/passwords.ts";
import { sessionService } from "./people/session-service.ts";
import { setupService } from "./people/setup-service.ts";
import { userService } from "./people/user-service.ts";
import { metricQueryService } from "./query/service.ts";
import type { Readiness } from "./readiness.ts";
import { reflectionServices } from "./reflection.ts";
import { ruleService } from "./rules/service.ts";
import type { Vault } from "./sealing/vault.ts";
import type { ServerSettings } from "./settings.ts";
import { silenceService } from "./silences/service.ts";
import { sourceService } from "./sources/service.ts";
import { systemAlertService } from "./system-alerts/service.ts";
import { topologyService } from "./topology/service.ts";
import { workQueryService } from "./work/query-service.ts";
import { workService } from "./work/service.ts";
import type { Signals } from "./work/signals.ts";
import { workspaceService } from "./workspaces/service.ts";
import { zoneService } from "./zones/service.ts";

/** What services are made of. */
export interface Parts {
  db: Database;
  settings: ServerSettings;
  log: Log;
  clock: Clock;
  authenticator: Authenticator;
  gate: Gate;
  pool: pg.Pool;
  ingest: Ingest;
  vault: Vault;
  signals: Signals;
  readiness: Readiness;
  metrics: Metrics;
  /** Where clients reach this deployment, without a slash at the end. */
  publicUrl: () => string;
  /** A private authority that hosts have to trust for that address, in PEM form; "" where there is none. */
  authority: () => string;
  packages: Packages | undefined;
}

interface Route<S extends DescService = DescService> {
  service: S;
  implementation: ServiceImpl<S>;
}

const route = <S extends DescService>(service: S, implementation: ServiceImpl<S>): Route =>
  ({ service, implementation }) as unknown as Route;

/** The one table of everything that can be called. */
export function makeRoutes(parts: Parts): Route[] {
  const { db } = parts;
  const passwords = makePasswords();
  const routes = [
    route(EnrollmentService, enrollmentService(parts)),
    route(HeartbeatService, heartbeatService(parts)),
    route(ConfigService, edgeConfigService(db)),
    route(CredentialService, credentialService(parts)),
    route(WorkService, workService(parts)),
    route(MetricsService, metricsService(parts)),
    route(SetupService, setupService(parts, passwords)),
    route(SessionService, sessionService(parts, passwords)),
    route(UserService, userService(parts)),
    route(AccessTokenService, accessTokenService(parts)),
    route(WorkspaceService, workspaceService(parts)),
    route(IngestionKeyService, ingestionKeyService(parts)),
    route(ZoneService, zoneService(db)),
    route(TopologyService, topologyService(db)),
    route(CollectorService, collectorService(parts)),
    route(SourceService, sourceService(parts)),
    route(ChannelService, channelService(parts)),
    route(IncidentService, incidentService(parts)),
    route(SilenceService, silenceService(parts)),
    route(NotificationRouteService, notificationRouteService(parts)),
    route(SystemAlertService, systemAlertService(db)),
    route(WorkQueryService, workQueryService(db)),
    route(EnrollmentProfileService, enrollmentProfileService(parts)),
    route(AgentService, agentService(parts)),
    route(ConfigurationService, configurationService(db)),
    route(MetricQueryService, metricQueryService(parts)),
    route(RuleService, ruleService(parts)),
    route(AlertService, alertService(db)),
    route(AuditService, auditService(db)),
  ];
  return [...routes, ...aboutRoutes(routes, parts)];
}

/** What tells about the server itself: to probes, and to clients that ask what can be called. */
function aboutRoutes(routes: Route[], parts: Parts): Route[] {
  const about = [Health, ...(parts.settings.reflection ? [Reflection, ReflectionAlpha] : [])];
  const services = [...routes.map(({ service }) => service), ...about];
  const names = services.map(({ typeName }) => typeName);
  const { v1, v1alpha } = reflectionServices(services);
  return [
    route(Health, healthService({ ...parts, names })),
    ...(parts.settings.reflection ? [route(Reflection, v1), route(ReflectionAlpha, v1alpha)] : []),
  ];
}

export function register(router: ConnectRouter, routes: Route[]): void {
  for (const { service, implementation } of routes) {
    router.service(service, implementation, { readMaxBytes: mostBytes(service) });
  }
}
