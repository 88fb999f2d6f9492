import type { DescField, DescMessage, DescMethod } from "@bufbuild/protobuf";
import { useState } from "react";
import { Link } from "wouter";
import { useAddressed } from "../../ui/addressed.tsx";
import { Copyable } from "../../ui/copy.tsx";
import { SearchField } from "../../ui/field.tsx";
import { Empty, Tag } from "../../ui/notice.tsx";
import { Facts, Page, Section } from "../../ui/page.tsx";
import { callersText, commentOf, curlFor, nameOf, pathOf, SERVICES, typeOf } from "./contract.ts";

/** Everything that can be called, from the same descriptors as everything else is. */
export default function Api() {
  const { get, set } = useAddressed();
  const [search, setSearch] = useState("");
  const wanted = search.trim().toLowerCase();
  const matches = (method: DescMethod) =>
    `${nameOf(method)} ${commentOf(nameOf(method))}`.toLowerCase().includes(wanted);
  const services = SERVICES.map((service) => ({
    service,
    methods: service.methods.filter(matches),
  })).filter(({ methods }) => methods.length > 0);
  const all = SERVICES.flatMap(({ methods }) => methods);
  const chosen =
    all.find((method) => nameOf(method) === get("rpc")) ?? services[0]?.methods[0] ?? all[0];
  return (
    <Page
      title="API"
      name="API"
      lead={
        <>
          Whatever this console does, a program of yours can do: each call is a POST of JSON, or
          gRPC, gRPC-Web or Connect. Make a token under{" "}
          <Link href="/access-tokens">Access tokens</Link>.
        </>
      }
    >
      <div className="api">
        <div className="card api-index">
          <div className="padded">
            <SearchField label="Search the calls" value={search} onChange={setSearch} />
          </div>
          <nav aria-label="Calls">
            {services.map(({ service, methods }) => (
              <div key={service.typeName}>
                <h3>{service.typeName}</h3>
                {methods.map((method) => (
                  <button
                    key={method.name}
                    type="button"
                    className="catalog-item"
                    aria-pressed={method === chosen}
                    onClick={() => set({ rpc: nameOf(method) }, true)}
                  >
                    {method.name}
                  </button>
                ))}
              </div>
            ))}
            {services.length === 0 && <p className="padded soft">No call is about that.</p>}
          </nav>
        </div>
        {chosen ? <Method method={chosen} /> : <Empty title="Nothing can be called" />}
      </div>
    </Page>
  );
}

function Method({ method }: { method: DescMethod }) {
  const isRead = method.idempotency === 1;
  return (
    <div className="page">
      <div className="section">
        <div className="page-title">
          <h2>{method.name}</h2>
          <Tag>{isRead ? "reads" : "changes"}</Tag>
          {method.methodKind !== "unary" && <Tag>streams</Tag>}
        </div>
        <p>{commentOf(nameOf(method))}</p>
        <Facts
          entries={[
            ["Path", <code key="path">{pathOf(method)}</code>],
            ["Who may", callersText(method)],
          ]}
        />
      </div>
      <Section title="With curl">
        <Copyable text={curlFor(method, location.origin)} label="" />
      </Section>
      <Message title="Request" message={method.input} />
      <Message title="Response" message={method.output} />
    </div>
  );
}

function Message({ title, message }: { title: string; message: DescMessage }) {
  return (
    <Section title={`${title}: ${message.name}`}>
      {message.fields.length === 0 ? (
        <p className="soft">It is empty.</p>
      ) : (
        <div className="table-scroll">
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Field</th>
                <th scope="col">Type</th>
                <th scope="col" data-rank="1">
                  What it is
                </th>
              </tr>
            </thead>
            <tbody>
              {message.fields.map((field) => (
                <Field key={field.name} field={field} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  );
}

const inner = (field: DescField): DescMessage | undefined =>
  field.message?.typeName.startsWith("lumetry.") ? field.message : undefined;

/** A field, and those of the message in it. */
function Field({ field, within = [] }: { field: DescField; within?: DescMessage[] }) {
  const message = inner(field);
  const opens = message && !within.includes(message) && within.length < 2;
  return (
    <>
      <tr>
        <td>
          <code style={{ paddingLeft: within.length * 16 }}>{field.jsonName}</code>
        </td>
        <td className="soft">{typeOf(field)}</td>
        <td className="soft" data-rank="1">
          {commentOf(`${field.parent.typeName}.${field.name}`)}
        </td>
      </tr>
      {opens &&
        message.fields.map((each) => (
          <Field key={each.name} field={each} within={[...within, message]} />
        ))}
    </>
  );
}
