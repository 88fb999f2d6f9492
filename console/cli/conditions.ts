import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { RuleService } from "../../gen/lumetry/v1/rule_service_pb.js";
import { type Severity, SeveritySchema } from "../../gen/lumetry/v1/severity_pb.js";
import {
  type AlertConditions,
  AlertConditionsSchema,
} from "../../gen/lumetry/v1/silence_service_pb.js";
import { TopologyService } from "../../gen/lumetry/v1/topology_service_pb.js";
import type { Cli } from "./cli.ts";
import { CONDITIONS, type Matcher, readMatcher } from "./labels.ts";
import { resolveCluster, resolveRule } from "./resolve.ts";
import { readEnums } from "./words.ts";

export interface ConditionOptions {
  match?: Matcher[];
  severity?: Severity[];
  rule?: string[];
  cluster?: string[];
}

const several = (text: string, before: string[] = []) => [...before, text];

/** Adds the flags that say which alerts are meant. */
export const withConditions = (command: Command): Command =>
  command
    .option(
      "--match <condition>",
      `only alerts whose labels are so: ${CONDITIONS}; repeat for more`,
      readMatcher,
    )
    .option(
      "--severity <severity>",
      "only alerts of these; with commas between for more",
      readEnums<Severity>(SeveritySchema),
    )
    .option("--rule <rule>", "only alerts of this rule; repeat for more", several)
    .option(
      "--cluster <cluster>",
      "only alerts about hosts of this cluster; repeat for more",
      several,
    );

/** Undefined when none of the flags was given. */
export async function conditionsOf(
  cli: Cli,
  { match, severity, rule, cluster }: ConditionOptions,
): Promise<AlertConditions | undefined> {
  if (!match && !severity && !rule && !cluster) return undefined;
  const ruleIds: string[] = [];
  for (const meant of rule ?? []) {
    ruleIds.push(await resolveRule(cli.signedIn().client(RuleService), meant));
  }
  const clusterIds: string[] = [];
  for (const meant of cluster ?? []) {
    clusterIds.push(await resolveCluster(cli.signedIn().client(TopologyService), meant));
  }
  return create(AlertConditionsSchema, {
    matchers: match ?? [],
    severities: severity ?? [],
    ruleIds,
    clusterIds,
  });
}
