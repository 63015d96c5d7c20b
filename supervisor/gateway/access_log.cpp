#include "supervisor/gateway/access_log.h"

#include <boost/asio/post.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

namespace fieldwarden::supervisor::gateway {

namespace {
constexpr std::size_t kLongestPath = 500;
}  // namespace

AccessLog::~AccessLog() {
    writer_.join();
}

void AccessLog::note(AccessNote note) {
    if (waiting_.load(std::memory_order_relaxed) >= kMostWaiting) {
        left_out_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    waiting_.fetch_add(1, std::memory_order_relaxed);
    boost::asio::post(writer_, [this, note = std::move(note)] {
        write(note);
        waiting_.fetch_sub(1, std::memory_order_relaxed);
    });
}

void AccessLog::write(const AccessNote& note) {
    nlohmann::ordered_json line{{"ts", format_rfc3339(note.at)},
                                {"remote", note.remote},
                                {"user", note.user},
                                {"method", note.method},
                                {"path", note.path.substr(0, kLongestPath)},
                                {"status", note.status},
                                {"bytes", note.bytes},
                                {"ms", std::round(note.took.count() * 1e6) / 1e3},
                                {"request_id", note.request_id}};
    if (const auto left_out = left_out_.exchange(0); left_out != 0) line["left_out"] = left_out;
    // A path may hold any bytes.
    (void)file_.write_line(line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace fieldwarden::supervisor::gateway
