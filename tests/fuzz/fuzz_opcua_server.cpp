// What the simulated OPC UA server takes from a client: any bytes end in an answer or a closed connection.
// The first byte decides: even, a conversation of frames; odd, one request on an activated session's
// connection.
#include <cstdint>
#include <cstdlib>

#include "tests/simulator/opcua/channel.h"
#include "tests/simulator/opcua/engine.h"
#include "tests/simulator/opcua/faults.h"

using namespace fieldwarden::simulator::opcua;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    static Engine engine{{.user = {}, .password = {}, .many = 3, .limits = {}}};
    const std::span<const std::uint8_t> bytes{data + 1, size - 1};
    std::vector<Reply> replies;
    (void)parse_command({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    Reader variant{bytes};
    (void)variant.variant();
    if (data[0] % 2 == 1) {
        engine.handle(1, 1, bytes, replies);
    } else {
        Channel channel{7, std::chrono::milliseconds{1000}};
        const auto step = channel.receive(bytes);
        for (const auto& request : step.requests) engine.handle(7, request.id, request.body, replies);
        for (const auto& reply : replies)
            if (channel.respond(reply.request_id, reply.body).size() <= reply.body.size()) std::abort();
        engine.connection_closed(7);
    }
    engine.tick(replies);
    if (engine.counters().sessions > 40) engine.forget_sessions();
    return 0;
}
