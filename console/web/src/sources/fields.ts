import type { JsonObject } from "@bufbuild/protobuf";
import { MetricMetadata_KindSchema } from "../../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import {
  DnsCheck_RecordTypeSchema,
  DnsCheck_TransportSchema,
  HttpRequest_MethodSchema,
} from "../../../../gen/lumetry/source/v1/settings_pb.js";
import type { KindName } from "../words/sources.ts";

/** One setting, and how a person says it. */
export interface Field {
  /** Where it is in the settings, such as "http.url". */
  path: string;
  label: string;
  hint?: string;
  placeholder?: string;
  isRequired?: boolean;
  /** Few need it: it is folded away until it says something. */
  isRare?: boolean;
  isShown?: (settings: JsonObject) => boolean;
  /** What it is in says something by being there, even with nothing in it. */
  keepsParent?: boolean;
  input:
    | { type: "text" | "lines" | "bytes" | "area" | "check" | "presence" }
    | { type: "pairs"; name: string; value: string }
    | { type: "number"; least: number; most: number }
    | { type: "choice"; options: [value: string, label: string][]; otherwise: string }
    | { type: "rows"; noun: string; fields: Field[] };
}

const text = { type: "text" } as const;
const area = { type: "area" } as const;
const number = (least: number, most: number) => ({ type: "number", least, most }) as const;

function choice(
  schema: { values: { name: string; number: number; localName: string }[] },
  otherwise: string,
  label = (word: string) => word,
) {
  return {
    type: "choice" as const,
    otherwise,
    options: schema.values
      .filter(({ number: value }) => value !== 0)
      .map(({ name, localName }): [string, string] => [name, label(localName)]),
  };
}

const POSTED = ["METHOD_POST", "METHOD_PUT", "METHOD_PATCH"];

const trust = (path: string, isShown?: Field["isShown"]): Field[] => [
  {
    path: `${path}.caPem`,
    label: "Authority of its certificate",
    hint: "PEM, besides those that the collector's host trusts. Certificates are always checked.",
    placeholder: "-----BEGIN CERTIFICATE-----",
    isRare: true,
    input: area,
    ...(isShown && { isShown, keepsParent: true }),
  },
  {
    path: `${path}.serverName`,
    label: "Name in its certificate",
    hint: "Where that is not the host's",
    isRare: true,
    input: text,
    ...(isShown && { isShown, keepsParent: true }),
  },
];

const http = (placeholder: string): Field[] => [
  { path: "http.url", label: "Address", placeholder, isRequired: true, input: text },
  {
    path: "http.method",
    label: "Method",
    isRare: true,
    input: choice(HttpRequest_MethodSchema, "GET"),
  },
  {
    path: "http.body",
    label: "Body",
    isRare: true,
    isShown: (settings) =>
      POSTED.includes(String((settings.http as JsonObject | undefined)?.method)),
    input: { type: "bytes" },
  },
  {
    path: "http.headers",
    label: "Headers",
    hint: "Those that anybody may know; the others are secrets.",
    isRare: true,
    input: { type: "pairs", name: "Header", value: "Value" },
  },
  {
    path: "http.username",
    label: "User name",
    hint: "For basic authentication; its password is a secret",
    isRare: true,
    input: text,
  },
  {
    path: "http.mostRedirects",
    label: "Redirects to follow",
    hint: "None unless given; secrets go to the first host only",
    isRare: true,
    input: number(0, 10),
  },
  {
    path: "http.mostBodyBytes",
    label: "Longest answer, bytes",
    hint: "10 MiB unless given",
    isRare: true,
    input: number(0, 67_108_864),
  },
  ...trust("http.tls"),
];

const target = (port: number): Field[] => [
  {
    path: "target.host",
    label: "Host",
    placeholder: "db.internal",
    isRequired: true,
    input: text,
  },
  {
    path: "target.port",
    label: "Port",
    placeholder: String(port),
    isRequired: true,
    input: number(1, 65_535),
  },
];

const metricFields: Field[] = [
  {
    path: "kind",
    label: "Kind",
    input: choice(MetricMetadata_KindSchema, "unspecified", (word) => word.toLowerCase()),
  },
  { path: "unit", label: "Unit", placeholder: "By, s, 1, {request}", input: text },
  { path: "description", label: "Description", input: text },
];
export const FIELDS: Record<KindName, Field[]> = {
  prometheusScrape: [
    ...http("http://node-7.internal:9100/metrics"),
    {
      path: "metricPrefixes",
      label: "Only metrics that start with",
      hint: "One a line; all unless given",
      isRare: true,
      input: { type: "lines" },
    },
    {
      path: "mostSamples",
      label: "Most samples",
      hint: "With more, none is kept; 20,000 unless given",
      isRare: true,
      input: number(0, 20_000),
    },
    {
      path: "keepTimestamps",
      label: "Keep the times that the endpoint gives",
      isRare: true,
      input: { type: "check" },
    },
  ],
  httpCheck: [
    ...http("https://shop.internal/health"),
    {
      path: "expectedStatuses",
      label: "Statuses that are as they should be",
      hint: "200 to 299 unless given",
      input: {
        type: "rows",
        noun: "range",
        fields: [
          { path: "first", label: "From", isRequired: true, input: number(100, 599) },
          { path: "last", label: "To", hint: "The same unless given", input: number(100, 599) },
        ],
      },
    },
    {
      path: "bodyMatches",
      label: "What its answer says",
      hint: "All of them have to hold.",
      input: {
        type: "rows",
        noun: "condition",
        fields: [
          { path: "contains", label: "Holds the text", input: text },
          { path: "regex", label: "Or matches", placeholder: "RE2", input: text },
          { path: "absent", label: "Must not be so", input: { type: "check" } },
        ],
      },
    },
  ],
  jsonHttp: [
    ...http("http://queue.internal/stats.json"),
    {
      path: "metrics",
      label: "Metrics",
      input: {
        type: "rows",
        noun: "metric",
        fields: [
          {
            path: "metric",
            label: "Metric",
            placeholder: "queue.depth",
            isRequired: true,
            input: text,
          },
          {
            path: "path",
            label: "Where its values are",
            placeholder: "$.queues[*].depth",
            isRequired: true,
            input: text,
          },
          ...metricFields,
          {
            path: "labels",
            label: "Labels",
            hint: "A path, in which [*] is the same element, or a text after =",
            input: { type: "pairs", name: "Label", value: "$.queues[*].name or =text" },
          },
          { path: "optional", label: "May be missing", input: { type: "check" } },
        ],
      },
    },
  ],
  tcpCheck: [
    ...target(5432),
    { path: "tls", label: "Over TLS", input: { type: "presence" } },
    ...trust("tls", ({ tls }) => tls !== undefined),
    {
      path: "send",
      label: "Sent once connected",
      isRare: true,
      input: { type: "bytes" },
    },
    {
      path: "expect",
      label: "What it has to say first",
      isRare: true,
      input: { type: "bytes" },
    },
  ],
  dnsCheck: [
    {
      path: "name",
      label: "Name",
      placeholder: "shop.example.com",
      isRequired: true,
      input: text,
    },
    {
      path: "recordType",
      label: "Records",
      input: choice(DnsCheck_RecordTypeSchema, "A"),
    },
    {
      path: "expectedAnswers",
      label: "Answers that have to be among them",
      hint: "One a line",
      input: { type: "lines" },
    },
    {
      path: "server.host",
      label: "Server to ask",
      hint: "The resolver of the collector's host unless given",
      isRare: true,
      input: text,
    },
    {
      path: "server.port",
      label: "Its port",
      placeholder: "53",
      isRare: true,
      input: number(1, 65_535),
    },
    {
      path: "transport",
      label: "Transport",
      isRare: true,
      input: choice(DnsCheck_TransportSchema, "UDP, and TCP for long answers"),
    },
  ],
  tlsCertificate: [
    ...target(443),
    {
      path: "leastDaysLeft",
      label: "Fails with fewer days left than",
      hint: "0 only asks that it is valid",
      input: number(0, 3_650),
    },
    ...trust("tls"),
  ],
  postgresQuery: [
    ...target(5432),
    { path: "database", label: "Database", isRequired: true, input: text },
    {
      path: "username",
      label: "User name",
      hint: "Its password is a secret",
      isRequired: true,
      input: text,
    },
    {
      path: "query",
      label: "Query",
      hint: "Runs read-only",
      placeholder: "select state, count(*) as orders from orders group by state",
      isRequired: true,
      input: area,
    },
    {
      path: "metrics",
      label: "Columns that become metrics",
      input: {
        type: "rows",
        noun: "metric",
        fields: [
          { path: "column", label: "Column", placeholder: "orders", isRequired: true, input: text },
          {
            path: "metric",
            label: "Metric",
            placeholder: "shop.orders",
            isRequired: true,
            input: text,
          },
          ...metricFields,
        ],
      },
    },
    {
      path: "labelColumns",
      label: "Columns that become labels",
      hint: "One a line",
      input: { type: "lines" },
    },
    {
      path: "tlsMode",
      label: "TLS",
      isRare: true,
      input: {
        type: "choice",
        otherwise: "required, with a certificate that is checked",
        options: [["TLS_MODE_OFF", "never; for networks that are trusted"]],
      },
    },
    ...trust("tls"),
    {
      path: "mostRows",
      label: "Most rows",
      hint: "More are an error; 1,000 unless given",
      isRare: true,
      input: number(0, 10_000),
    },
  ],
};

/** What a new draft of a kind begins with: one row where at least one is needed. */
export const STARTS: Partial<Record<KindName, JsonObject>> = {
  jsonHttp: { metrics: [{}] },
  postgresQuery: { metrics: [{}] },
};

/** Secrets that each kind can use. */
export const SECRETS: Record<KindName, { bearer: boolean; password: boolean; headers: boolean }> = {
  prometheusScrape: { bearer: true, password: true, headers: true },
  httpCheck: { bearer: true, password: true, headers: true },
  jsonHttp: { bearer: true, password: true, headers: true },
  tcpCheck: { bearer: false, password: false, headers: false },
  dnsCheck: { bearer: false, password: false, headers: false },
  tlsCertificate: { bearer: false, password: false, headers: false },
  postgresQuery: { bearer: false, password: true, headers: false },
};
