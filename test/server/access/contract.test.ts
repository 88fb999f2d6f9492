import { getOption, hasOption } from "@bufbuild/protobuf";
import test from "ava";
import { access, Caller } from "../../../gen/lumetry/access/v1/access_pb.js";
import { requireRules } from "../../../server/access/rules.ts";
import { listMethods, services } from "../../support/contract.ts";

test("every method says who may call it", (t) => {
  t.true(listMethods().length > 40);
  for (const method of listMethods()) {
    t.true(hasOption(method, access), method.name);
    const { callers, role } = getOption(method, access);
    t.true(callers.length > 0, method.name);
    t.is(callers.includes(Caller.PERSON), role !== 0, `${method.name}: people need a role`);
  }
  t.notThrows(() => requireRules(services));
});

test("a method without a rule keeps the server from starting", (t) => {
  const [service] = services;
  if (!service) throw new Error("no service");
  const [method] = service.methods;
  if (!method) throw new Error("no method");
  const { options: _options, ...proto } = method.proto;
  const bare = { ...service, methods: [{ ...method, proto }] } as typeof service;
  t.throws(() => requireRules([bare]), { message: /does not say who may call it/ });
});

test("only collectors and agents, and nobody without a credential, reach the machines' rpcs", (t) => {
  for (const service of services.filter(({ typeName }) => typeName.startsWith("lumetry.edge."))) {
    for (const method of service.methods) {
      const { callers } = getOption(method, access);
      const allowed =
        service.name === "EnrollmentService"
          ? [[Caller.ANYONE]]
          : [[Caller.COLLECTOR], [Caller.COLLECTOR, Caller.AGENT]];
      t.true(
        allowed.some((kinds) => JSON.stringify(kinds) === JSON.stringify(callers)),
        method.name,
      );
    }
  }
});

test("collectors relay what agents call, and nothing else", (t) => {
  for (const method of listMethods()) {
    const { callers, relayable } = getOption(method, access);
    const isForAgents = callers.includes(Caller.AGENT) || method.name === "EnrollAgent";
    t.is(relayable, isForAgents, method.name);
  }
});
