// node-opcua as an independent client, driven by one line of JSON per command on stdin; one line of JSON per answer.
//
//   {"do":"connect","url":"opc.tcp://…","user":…,"password":…}
//   {"do":"read","nodes":["ns=2;s=Sine",…],"attribute":13}     → [{value, type, array, status}]
//   {"do":"write","node":…,"type":"Int32","value":…}           → "Good"
//   {"do":"browse","node":…,"max":10}                          → [{node, name, class, reference}], pages followed
//   {"do":"translate","start":…,"path":"/2:Sim/2:Sine"}        → {status, node}
//   {"do":"subscribe","nodes":[…],"interval":50,"sampling":10,"queue":100}   → statuses of the items
//   {"do":"changes","node":…,"count":3}                        → the first values of a subscribed node
//   {"do":"endpoints"}                                         → [{mode, policy, tokens}]
//   {"do":"close"}
"use strict";
console.log = console.error; // stdout is for the answers
const fs = require("fs");
const os = require("os");
const path = require("path");
const readline = require("readline");
const opcua = require("node-opcua");

// It makes itself a certificate even where none is needed; the folder given as argument keeps it.
const folder = process.argv[2] || fs.mkdtempSync(path.join(os.tmpdir(), "opcua-client-"));

let client = null;
let session = null;
let subscription = null;
const changes = new Map();

const plain = (value) => {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  if (Buffer.isBuffer(value)) return value.toString("hex");
  if (ArrayBuffer.isView(value)) return Array.from(value, plain);
  if (Array.isArray(value)) return value.length === 2 && typeof value[0] === "number" && value.int64 ? value : value.map(plain);
  if (typeof value === "object" && value.text !== undefined) return value.text;
  if (typeof value === "object") return value.toString();
  return value;
};
// 64-bit integers come as [high, low].
const whole64 = (pair, signed) => {
  let number = (BigInt(pair[0]) << 32n) | BigInt(pair[1]);
  if (signed && number >= 1n << 63n) number -= 1n << 64n;
  return number.toString();
};
const told = (data) => {
  const type = opcua.DataType[data.value.dataType];
  const is64 = type === "Int64" || type === "UInt64";
  return {
    value: is64 && data.value.value ? whole64(data.value.value, type === "Int64") : plain(data.value.value),
    type,
    array: data.value.arrayType === opcua.VariantArrayType.Array,
    status: data.statusCode.name,
  };
};

const verbs = {
  async connect({ url, user, password, lifetime }) {
    client = opcua.OPCUAClient.create({
      clientCertificateManager: new opcua.OPCUACertificateManager({ rootFolder: path.join(folder, "pki") }),
      endpointMustExist: false,
      securityMode: opcua.MessageSecurityMode.None,
      securityPolicy: opcua.SecurityPolicy.None,
      connectionStrategy: { maxRetry: 1, initialDelay: 50, maxDelay: 200 },
      defaultSecureTokenLifetime: lifetime || 600000,
      keepSessionAlive: false,
      requestedSessionTimeout: 60000,
    });
    await client.connect(url);
    session = await client.createSession(
      user ? { type: opcua.UserTokenType.UserName, userName: user, password } : { type: opcua.UserTokenType.Anonymous });
    return "connected";
  },
  async endpoints() {
    return (await client.getEndpoints()).map((each) => ({
      mode: opcua.MessageSecurityMode[each.securityMode],
      policy: each.securityPolicyUri,
      tokens: each.userIdentityTokens.map((token) => opcua.UserTokenType[token.tokenType]),
    }));
  },
  async read({ nodes, attribute }) {
    const data = await session.read(nodes.map((nodeId) => ({ nodeId, attributeId: attribute || 13 })));
    return data.map(told);
  },
  async write({ node, type, value }) {
    const code = await session.write({
      nodeId: node,
      attributeId: opcua.AttributeIds.Value,
      value: { value: { dataType: opcua.DataType[type], value } },
    });
    return code.name;
  },
  async browse({ node, max }) {
    session.requestedMaxReferencesPerNode = max;
    let result = await session.browse({
      nodeId: node,
      browseDirection: opcua.BrowseDirection.Forward,
      referenceTypeId: "HierarchicalReferences",
      includeSubtypes: true,
      nodeClassMask: 0,
      resultMask: 63,
    });
    const found = [];
    let pages = 0;
    for (;;) {
      if (result.statusCode.name !== "Good") return { status: result.statusCode.name };
      ++pages;
      for (const each of result.references) {
        found.push({
          node: each.nodeId.toString(),
          name: each.browseName.name,
          class: opcua.NodeClass[each.nodeClass],
          type: each.typeDefinition.toString(),
        });
      }
      if (!result.continuationPoint || result.continuationPoint.length === 0) break;
      result = await session.browseNext(result.continuationPoint, false);
    }
    return { status: "Good", pages, nodes: found };
  },
  async translate({ start, path }) {
    const result = await session.translateBrowsePath(opcua.makeBrowsePath(start, path));
    return { status: result.statusCode.name, node: result.targets && result.targets.length ? result.targets[0].targetId.toString() : null };
  },
  async subscribe({ nodes, interval, sampling, queue }) {
    subscription = await session.createSubscription2({
      requestedPublishingInterval: interval,
      requestedLifetimeCount: 100,
      requestedMaxKeepAliveCount: 5,
      maxNotificationsPerPublish: 0,
      publishingEnabled: true,
    });
    const statuses = [];
    for (const nodeId of nodes) {
      changes.set(nodeId, []);
      const item = opcua.ClientMonitoredItem.create(
        subscription, { nodeId, attributeId: 13 }, { samplingInterval: sampling, queueSize: queue, discardOldest: true },
        opcua.TimestampsToReturn.Both);
      item.on("changed", (data) => changes.get(nodeId).push(told(data)));
      statuses.push(await new Promise((resolve) => {
        item.on("initialized", () => resolve("Good"));
        item.on("err", (message) => resolve(String(message)));
      }));
    }
    return statuses;
  },
  async changes({ node, count }) {
    const end = Date.now() + 20000;
    while (changes.get(node).length < count && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
    return changes.get(node).splice(0);
  },
  async close() {
    if (subscription) await subscription.terminate();
    await session.close();
    await client.disconnect();
    return "closed";
  },
};

const main = async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    let answer;
    try {
      answer = { ok: await verbs[command.do](command) };
    } catch (error) {
      answer = { error: error.message };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
  process.exit(0);
};
main();
