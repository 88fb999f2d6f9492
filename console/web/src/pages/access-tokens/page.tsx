import { createClient } from "@connectrpc/connect";
import { RoleSchema } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import {
  type AccessToken,
  AccessTokenService,
} from "../../../../../gen/lumetry/v1/access_token_service_pb.js";
import { PACE } from "../../client/live.ts";
import { usePages } from "../../client/pages.ts";
import { transport } from "../../client/transport.ts";
import { CredentialsPage } from "../../credentials/credentials-page.tsx";
import { useListSearch } from "../../ui/search.tsx";
import { enumWord } from "../../words/counts.ts";
import { CreateToken } from "./create-token.tsx";

const client = createClient(AccessTokenService, transport);

const rowOf = (token: AccessToken) => ({
  id: token.accessTokenId,
  displayName: token.displayName,
  role: token.role,
  createTime: token.createTime,
  expireTime: token.expireTime,
  revokeTime: token.revokeTime,
});

export default function AccessTokens() {
  const search = useListSearch();
  const list = usePages(
    AccessTokenService.method.listAccessTokens,
    { search },
    { pace: PACE.calm },
  );
  return (
    <CredentialsPage
      title="Access tokens"
      noun="token"
      lead="Your own tokens, for scripts and the command line. Each acts for you, with at most your role."
      list={list}
      search={search}
      rows={list.pages.flatMap(({ accessTokens }) => accessTokens).map(rowOf)}
      middle={{
        title: "Role",
        rank: 1,
        width: "14%",
        cell: ({ role }) => enumWord(RoleSchema, role),
      }}
      mayChange
      revoke={({ id }) => client.revokeAccessToken({ accessTokenId: id })}
      teaching={
        <>
          A script sends its token as <code>authorization: Bearer lmtut_…</code>; the command line
          takes it from <code>LUMETRY_TOKEN</code>.
        </>
      }
      form={(close, done) => (
        <CreateToken
          onClose={close}
          onCreated={({ accessToken, secret }) =>
            accessToken && done({ credential: rowOf(accessToken), secret })
          }
        />
      )}
    />
  );
}
