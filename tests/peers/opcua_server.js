// An OPC UA server by node-opcua, for tests/system/test_opcua_peer.py.
//
//   node opcua_server.js PKI_FOLDER [PORT]
//
// Listens on loopback (a free port when none is given) and prints {"url", "namespace"} once it is ready. Then takes
// commands, a JSON object a line on standard input, and answers each with one: {"do": "set", "node": "Double",
// "value": 1.5}, {"do": "status", "node": "Double", "code": "BadSensorFailure"}, {"do": "get", "node": "Double"},
// {"do": "sampled", "node": "Double", "value": 1.5} (whether every subscription to it has: it samples from time to time),
// {"do": "remove"|"add", "node": "Extra"}, {"do": "sessions"}, {"do": "cut"} (every connection, without a word),
// {"do": "end_sessions", "subscriptions": false} (all of them on their live connections, with or without theirs).
// Ends when standard input does.
"use strict";

const fs = require("fs");
const net = require("net");
const path = require("path");
const readline = require("readline");
// What node-opcua has to say would mix with the answers.
for (const name of ["log", "info", "warn", "debug"]) console[name] = (...words) => process.stderr.write(words.join(" ") + "\n");
const opcua = require("node-opcua");
const { DataType, VariantArrayType, StatusCodes, SecurityPolicy, MessageSecurityMode } = opcua;

const USER = "operator";
const PASSWORD = "s3cret-pässword";

// name: [type, first value]; arrays hold typed arrays or lists.
const SCALARS = {
    Boolean: [DataType.Boolean, true],
    SByte: [DataType.SByte, -128],
    Byte: [DataType.Byte, 255],
    Int16: [DataType.Int16, -32768],
    UInt16: [DataType.UInt16, 65535],
    Int32: [DataType.Int32, -2147483648],
    UInt32: [DataType.UInt32, 4294967295],
    Int64: [DataType.Int64, [0xffffffff, 0xfffffffe]], // -2, as high and low word
    UInt64: [DataType.UInt64, [0x80000000, 1]],
    Float: [DataType.Float, 1.5],
    Double: [DataType.Double, 3.141592653589793],
    String: [DataType.String, "Grüße 中文"],
    DateTime: [DataType.DateTime, new Date("2026-01-02T03:04:05.678Z")],
    Guid: [DataType.Guid, "72962B91-FA75-4AE6-8D28-B404DC7DAF63"],
    ByteString: [DataType.ByteString, Buffer.from([0, 1, 2, 253, 254, 255])],
    XmlElement: [DataType.XmlElement, "<a>1</a>"],
    NodeId: [DataType.NodeId, opcua.resolveNodeId("ns=1;s=Other")],
    StatusCode: [DataType.StatusCode, StatusCodes.BadNodeIdUnknown],
    QualifiedName: [DataType.QualifiedName, { namespaceIndex: 1, name: "Pump" }],
    LocalizedText: [DataType.LocalizedText, { locale: "en", text: "Pump seven" }],
};
const ARRAYS = {
    Doubles: [DataType.Double, new Float64Array([1.5, -2.25, 1e10])],
    Int32s: [DataType.Int32, new Int32Array([10, 20, 30, 40])],
    Strings: [DataType.String, ["a", "b\"c", ""]],
    Booleans: [DataType.Boolean, [true, false, true]],
    Empty: [DataType.Int16, new Int16Array([])],
};

async function main() {
    const [folder, port] = process.argv.slice(2);
    const certificates = new opcua.OPCUACertificateManager({
        rootFolder: path.join(folder, "pki"),
        automaticallyAcceptUnknownCertificate: true,
    });
    await certificates.initialize();
    const server = new opcua.OPCUAServer({
        host: "127.0.0.1",
        port: port ? Number(port) : await freePort(),
        resourcePath: "/plant",
        // Not the name the client connects with: it has to keep to its own.
        alternateHostname: "a.host.that.does.not.exist",
        certificateFile: path.join(folder, "certificate.pem"),
        serverCertificateManager: certificates,
        userCertificateManager: certificates,
        securityPolicies: [SecurityPolicy.None, SecurityPolicy.Basic256Sha256],
        securityModes: [MessageSecurityMode.None, MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt],
        allowAnonymous: true,
        userManager: { isValidUser: (user, password) => user === USER && password === PASSWORD },
        defaultSecureTokenLifetime: Number(process.env.TOKEN_LIFETIME_MS || 600000),
        buildInfo: { productName: "Fieldwarden's test peer" },
        serverCapabilities: {
            maxSessions: 20,
            maxBrowseContinuationPoints: 10,
            operationLimits: { maxNodesPerRead: 50, maxNodesPerBrowse: 20, maxMonitoredItemsPerCall: 30 },
        },
        disableDiscovery: true,
    });
    await server.initialize();
    const space = server.engine.addressSpace;
    const namespace = space.getOwnNamespace();
    const plant = namespace.addFolder("ObjectsFolder", { browseName: "Plant", nodeId: "s=Plant" });
    const variables = {};
    const add = (name, dataType, value, more = {}) => {
        variables[name] = namespace.addVariable({
            organizedBy: plant, browseName: name, nodeId: `s=${name}`, dataType, accessLevel: "CurrentRead | CurrentWrite",
            userAccessLevel: "CurrentRead | CurrentWrite", ...more,
        });
        variables[name].setValueFromSource({ dataType, arrayType: more.arrayType ?? VariantArrayType.Scalar, dimensions: more.dimensions, value });
        return variables[name];
    };
    for (const [name, [type, value]] of Object.entries(SCALARS)) add(name, type, value);
    for (const [name, [type, value]] of Object.entries(ARRAYS))
        add(name, type, value, { valueRank: 1, arrayDimensions: [0], arrayType: VariantArrayType.Array });
    const matrix = { valueRank: 2, arrayDimensions: [2, 3], arrayType: VariantArrayType.Matrix, dimensions: [2, 3] };
    add("Matrix", DataType.Int16, new Int16Array([1, 2, 3, 4, 5, 6]), matrix);
    // A name that looks like an element, as Siemens controllers have them.
    add("Named[3]", DataType.Int32, 33);
    add("ReadOnly", DataType.Int32, 7, { accessLevel: "CurrentRead", userAccessLevel: "CurrentRead" });
    add("Duration", "Duration", 250).setValueFromSource({ dataType: DataType.Double, value: 250 });
    const boiler = namespace.addObject({ organizedBy: plant, browseName: "Boiler", nodeId: "s=Boiler" });
    namespace.addVariable({ componentOf: boiler, browseName: "Temp", nodeId: "i=4711", dataType: "Double",
        accessLevel: "CurrentRead | CurrentWrite" }).setValueFromSource({ dataType: DataType.Double, value: 81.5 });
    const many = namespace.addFolder(plant, { browseName: "Many", nodeId: "s=Many" });
    for (let i = 0; i < 300; ++i) {
        namespace.addVariable({ organizedBy: many, browseName: `V${i}`, nodeId: `s=V${i}`, dataType: "Int32" })
            .setValueFromSource({ dataType: DataType.Int32, value: i });
    }
    await server.start();
    const endpoint = server.endpoints[0];
    const answer = (object) => process.stdout.write(JSON.stringify(object) + "\n");
    answer({ url: `opc.tcp://127.0.0.1:${endpoint.port}/plant`, port: endpoint.port, namespace: namespace.index });

    const commands = {
        set: ({ node, value }) => {
            const variable = variables[node];
            const held = variable.readValue().value;
            variable.setValueFromSource({ dataType: held.dataType, arrayType: held.arrayType, dimensions: held.dimensions, value });
        },
        status: ({ node, code }) => {
            const variable = variables[node];
            variable.setValueFromSource(variable.readValue().value.clone(), StatusCodes[code]);
        },
        get: ({ node }) => ({ value: variables[node].readValue().value.value }),
        add: ({ node }) => void add(node, DataType.Int32, 5),
        remove: ({ node }) => {
            space.deleteNode(variables[node]);
            delete variables[node];
        },
        sessions: () => ({ sessions: server.engine.currentSessionCount, subscriptions: server.engine.currentSubscriptionCount }),
        sampled: ({ node, value }) => {
            const engines = [server.engine._orphanPublishEngine, ...Object.values(server.engine._sessions).map((each) => each.publishEngine)];
            const items = engines.filter(Boolean).flatMap((each) => each.subscriptions).flatMap((each) => Object.values(each.monitoredItems))
                .filter((each) => each.node === variables[node]);
            return { sampled: items.every((each) => each.oldDataValue.value?.value === value) };
        },
        end_sessions: ({ subscriptions }) => {
            // Its own way of ending one: the client's requests that wait are answered with BadSessionClosed.
            for (const each of Object.values(server.engine._sessions)) server.engine.closeSession(each.authenticationToken, subscriptions, "Terminated");
        },
        cut: () => {
            for (const each of server.endpoints) each.abruptlyInterruptChannels();
        },
    };
    const lines = readline.createInterface({ input: process.stdin });
    for await (const line of lines) {
        const command = JSON.parse(line);
        try {
            answer({ ok: true, ...(await commands[command.do](command)) });
        } catch (error) {
            answer({ ok: false, error: String(error) });
        }
    }
    // It has been seen to wait for connections that are gone.
    await Promise.race([server.shutdown(0), new Promise((resolve) => setTimeout(resolve, 1000))]);
    process.exit(0);
}

function freePort() {
    return new Promise((resolve) => {
        const probe = net.createServer();
        probe.listen(0, "127.0.0.1", () => {
            const { port } = probe.address();
            probe.close(() => resolve(port));
        });
    });
}

main().catch((error) => {
    process.stderr.write(`opcua_server: ${error.stack}\n`);
    process.exit(1);
});
