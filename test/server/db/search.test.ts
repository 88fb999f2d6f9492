/** The lists that are searched by name: whatever somebody types is a text, and no pattern. */
import { Code } from "@connectrpc/connect";
import test from "ava";
import { Role } from "../../../gen/lumetry/access/v1/access_pb.js";
import { AccessTokenService } from "../../../gen/lumetry/v1/access_token_service_pb.js";
import { ChannelService } from "../../../gen/lumetry/v1/channel_service_pb.js";
import { EnrollmentProfileService } from "../../../gen/lumetry/v1/enrollment_profile_service_pb.js";
import { IngestionKeyService } from "../../../gen/lumetry/v1/ingestion_key_service_pb.js";
import { RuleService } from "../../../gen/lumetry/v1/rule_service_pb.js";
import { UserService } from "../../../gen/lumetry/v1/user_service_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { refused } from "../../support/refusal.ts";
import { aboveBound } from "../../support/rules.ts";
import {
  addWorkspace,
  type Owner,
  setUp,
  startTestServer,
  type TestServer,
} from "../../support/server.ts";

const PLAIN = "web servers";
/** Names with signs that mean something in SQL, in patterns or in markup. */
const ODD = ["100% full", "disk_full", "C:\\temp", "O'Brien", 'the "big" one', "Größe <b>"];
const NAMES = [PLAIN, ...ODD];

let server: TestServer;
let owner: Owner;
let other: { token: string };
test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  other = await addWorkspace(server, owner.token);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

interface Ask {
  search?: string;
  pageSize?: number;
  pageToken?: string;
}

interface Found {
  rows: { id: string; name: string }[];
  nextPageToken: string;
}

/** A list, and how something of a name is put into it. */
interface List {
  add(name: string): Promise<unknown>;
  list(ask: Ask, token?: string): Promise<Found>;
}

const LISTS: Record<string, List> = {
  rules: {
    add: (displayName) =>
      server
        .client(RuleService, owner.token)
        .createRule({ settings: aboveBound("queue.length", { displayName }) }),
    async list(ask, token = owner.token) {
      const { rules, nextPageToken } = await server.client(RuleService, token).listRules(ask);
      const rows = rules.map(({ ruleId, settings }) => ({
        id: ruleId,
        name: settings?.displayName ?? "",
      }));
      return { rows, nextPageToken };
    },
  },
  channels: {
    add: (displayName) =>
      server
        .client(ChannelService, owner.token)
        .createChannel({ displayName, url: "https://hooks.example.com/lumetry" }),
    async list(ask, token = owner.token) {
      const { channels, nextPageToken } = await server
        .client(ChannelService, token)
        .listChannels(ask);
      const rows = channels.map(({ channelId, displayName }) => ({
        id: channelId,
        name: displayName,
      }));
      return { rows, nextPageToken };
    },
  },
  "enrollment profiles": {
    add: (displayName) =>
      server
        .client(EnrollmentProfileService, owner.token)
        .createEnrollmentProfile({ displayName, zoneId: owner.zoneId }),
    async list(ask, token = owner.token) {
      const { profiles, nextPageToken } = await server
        .client(EnrollmentProfileService, token)
        .listEnrollmentProfiles(ask);
      const rows = profiles.map(({ profileId, displayName }) => ({
        id: profileId,
        name: displayName,
      }));
      return { rows, nextPageToken };
    },
  },
  zones: {
    add: (displayName) => server.client(ZoneService, owner.token).createZone({ displayName }),
    async list(ask, token = owner.token) {
      const { zones, nextPageToken } = await server.client(ZoneService, token).listZones(ask);
      const rows = zones.map(({ zoneId, displayName }) => ({ id: zoneId, name: displayName }));
      return { rows, nextPageToken };
    },
  },
  "ingestion keys": {
    add: (displayName) =>
      server.client(IngestionKeyService, owner.token).createIngestionKey({ displayName }),
    async list(ask, token = owner.token) {
      const { ingestionKeys, nextPageToken } = await server
        .client(IngestionKeyService, token)
        .listIngestionKeys(ask);
      const rows = ingestionKeys.map(({ ingestionKeyId, displayName }) => ({
        id: ingestionKeyId,
        name: displayName,
      }));
      return { rows, nextPageToken };
    },
  },
  "access tokens": {
    add: (displayName) =>
      server
        .client(AccessTokenService, owner.token)
        .createAccessToken({ displayName, role: Role.VIEWER }),
    async list(ask, token = owner.token) {
      const { accessTokens, nextPageToken } = await server
        .client(AccessTokenService, token)
        .listAccessTokens(ask);
      const rows = accessTokens.map(({ accessTokenId, displayName }) => ({
        id: accessTokenId,
        name: displayName,
      }));
      return { rows, nextPageToken };
    },
  },
  people: {
    add: (displayName) =>
      server.client(UserService, owner.token).createUser({
        displayName,
        email: `${Buffer.from(displayName).toString("hex")}@people.example`,
        role: Role.VIEWER,
      }),
    async list(ask, token = owner.token) {
      const { users, nextPageToken } = await server.client(UserService, token).listUsers(ask);
      const rows = users.map(({ userId, displayName }) => ({ id: userId, name: displayName }));
      return { rows, nextPageToken };
    },
  },
};

for (const [what, { add, list }] of Object.entries(LISTS)) {
  test(`${what} are found by a part of a name or a whole id, whatever signs are in it`, async (t) => {
    for (const name of NAMES) await add(name);
    const found = async (search: string) =>
      (await list({ search, pageSize: 200 })).rows.map(({ name }) => name).sort();

    t.deepEqual(await found("B SERV"), [PLAIN]);
    t.deepEqual(
      await found("GRÖSSE"),
      [],
      "without regard to case is not without regard to letters",
    );
    t.deepEqual(await found("GRÖßE"), ["Größe <b>"]);
    for (const name of ODD) t.deepEqual(await found(name), [name]);
    for (const [sign, names] of [
      ["%", ["100% full"]],
      ["_", ["disk_full"]],
      ["\\", ["C:\\temp"]],
      ["'", ["O'Brien"]],
      ['"', ['the "big" one']],
      ["%%", []],
      ["' or true --", []],
      ["$1", []],
    ] as const) {
      t.deepEqual(await found(sign), [...names], sign);
    }

    const [row] = (await list({ search: PLAIN })).rows;
    const id = row?.id ?? "";
    t.deepEqual(await found(id.toUpperCase()), [PLAIN]);
    t.deepEqual(await found(id.slice(0, -1)), [], "a part of an id is none");
    t.is((await list({ search: "" })).rows.length >= NAMES.length, true);
    t.deepEqual((await list({ search: PLAIN }, other.token)).rows, []);
    t.deepEqual((await list({ search: id }, other.token)).rows, []);

    const tooLong = await refused(list({ search: "x".repeat(129) }));
    t.is(tooLong.code, Code.InvalidArgument);
    t.regex(tooLong.message, /search/);
  });

  test(`the pages of a search among ${what} hold what was searched for, once`, async (t) => {
    const names = ["a", "B", "c", "D", "e"].map((name) => `paged ${name}`);
    for (const name of [...names, "beside it"]) await add(name);
    const paged: string[] = [];
    let pageToken = "";
    do {
      const page = await list({ search: "PAGED", pageSize: 2, pageToken });
      t.true(page.rows.length <= 2);
      paged.push(...page.rows.map(({ name }) => name));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    t.deepEqual(paged.toSorted(), names.toSorted());
  });
}

test("people are found by a part of their address, too", async (t) => {
  await server
    .client(UserService, owner.token)
    .createUser({ displayName: "Ada", email: "countess@lovelace.example", role: Role.VIEWER });
  const found = await LISTS.people?.list({ search: "@LOVE" });
  t.deepEqual(
    found?.rows.map(({ name }) => name),
    ["Ada"],
  );
});
