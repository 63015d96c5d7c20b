// A small HTTP server whose answers a test decides, good ones and broken ones. Its own threads, any free port
// of the loopback.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace fieldwarden {

struct SeenRequest {
    std::string method;
    std::string target;
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;
};

struct ScriptedReply {
    std::string bytes;  // of the whole answer, as they go over the wire
    enum class Then { kKeepAlive, kClose, kHang, kGoOnForEver } then = Then::kKeepAlive;
};
// Status line, Content-Length and body.
ScriptedReply http_reply(int status, const std::string& body = {}, const std::string& more_headers = {});

class ScriptedHttp {
  public:
    using Handler = std::function<ScriptedReply(const SeenRequest&)>;  // called from the server's threads
    explicit ScriptedHttp(Handler handler);
    ~ScriptedHttp();  // stop()
    ScriptedHttp(const ScriptedHttp&) = delete;
    ScriptedHttp& operator=(const ScriptedHttp&) = delete;

    void stop();   // refuses connections and cuts those there are
    void start();  // on the same port
    [[nodiscard]] int port() const { return port_; }
    [[nodiscard]] std::string url() const;
    [[nodiscard]] int connections() const { return connections_.load(); }  // taken so far
    [[nodiscard]] std::vector<SeenRequest> seen() const;
    [[nodiscard]] bool hanging() const { return hanging_.load(); }  // somebody waits for the rest

  private:
    void serve(int fd);
    bool answer(int fd, const SeenRequest& request);

    Handler handler_;
    int port_ = 0;
    int listener_ = -1;
    std::atomic<bool> stopping_{false};
    std::atomic<int> connections_{0};
    std::atomic<bool> hanging_{false};
    mutable std::mutex mutex_;
    std::vector<SeenRequest> seen_;
    std::vector<int> open_;
    std::vector<std::thread> sessions_;
    std::thread acceptor_;
};

}  // namespace fieldwarden
