// A running gateway over fakes, in a directory of its own.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "fake_control.h"
#include "raw_client.h"
#include "supervisor/alerts/alerts.h"
#include "supervisor/gateway/gateway.h"

namespace fieldwarden::supervisor::testing {

// The machine's clocks, and as much later as a test says.
class LaterClock final : public Clock {
  public:
    [[nodiscard]] UtcTime utc_now() const override { return system_clock().utc_now() + later_.load(); }
    [[nodiscard]] MonoTime mono_now() const override { return system_clock().mono_now() + later_.load(); }
    void pass(std::chrono::microseconds time) { later_ = later_.load() + time; }

  private:
    std::atomic<std::chrono::microseconds> later_{std::chrono::microseconds{0}};
};

class GatewayFixture : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = ::testing::TempDir() + "fw-gateway-XXXXXX";
        settings_.server.data_dir = ::mkdtemp(pattern.data());
        settings_.server.listen = "127.0.0.1:0";
        settings_.server.max_upload_bytes = 1 << 20;
        store_ = open_sqlite_store(settings_.server.data_dir + "/state.db").value();
        ASSERT_TRUE(store_sample_plant(*store_));
        control_ = std::make_unique<FakeControl>(*store_, bus_, live_, system_clock());
        queue_ = std::make_unique<StoreQueue>(*store_, [](const std::string&, const Error&) {});
        alerts_ = std::make_unique<Alerts>(settings_.server.data_dir, *store_, *queue_, bus_, live_,
                                           system_clock(), [](proto::LogLevel, const std::string&) {});
        ASSERT_TRUE(alerts_->open(control_->plant()));
        start_gateway();
    }
    void TearDown() override {
        gateway_.reset();
        alerts_.reset();
        queue_.reset();
        std::filesystem::remove_all(settings_.server.data_dir);
    }
    void start_gateway() {
        Services services{*control_, bus_, live_, *store_, *alerts_, settings_, clock_, "test"};
        services.announce_password = [this](std::string_view, std::string_view password) {
            one_time_password_ = password;
        };
        gateway_ = std::make_unique<Gateway>(std::move(services));
        port_ = gateway_->start().value();
        token_ = load_or_create_admin_token(settings_.server.data_dir).value();
    }

    [[nodiscard]] std::string authorization() const { return "Authorization: Bearer " + token_ + "\r\n"; }
    [[nodiscard]] std::string request(const std::string& method, const std::string& target,
                                      const std::string& body = "", const std::string& headers = "") const {
        auto text = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" + authorization() + headers;
        if (!body.empty()) {
            text +=
                "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
        }
        return text + "\r\n" + body;
    }
    // One call on a connection of its own.
    RawResponse call(const std::string& method, const std::string& target, const std::string& body = "",
                     const std::string& headers = "") {
        RawClient client(port_);
        client.send(request(method, target, body, headers));
        return client.response(method == "HEAD").value_or(RawResponse{});
    }
    RawResponse upload(const std::string& content, const std::string& file_name = "plant.csv",
                       const std::string& mode = "merge", const std::string& query = "") {
        const std::string body = "--XX\r\nContent-Disposition: form-data; name=\"mode\"\r\n\r\n" + mode +
                                 "\r\n--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" +
                                 file_name + "\"\r\n\r\n" + content + "\r\n--XX--\r\n";
        RawClient client(port_);
        client.send("POST /api/v1/import-jobs" + query + " HTTP/1.1\r\nHost: localhost\r\n" +
                    authorization() + "Content-Type: multipart/form-data; boundary=XX\r\nContent-Length: " +
                    std::to_string(body.size()) + "\r\n\r\n" + body);
        return client.response().value_or(RawResponse{});
    }

    Settings settings_;
    LaterClock clock_;  // of the gateway
    StatusBus bus_{system_clock()};
    LiveValues live_;
    std::unique_ptr<Store> store_;
    std::unique_ptr<FakeControl> control_;
    std::unique_ptr<StoreQueue> queue_;
    std::unique_ptr<Alerts> alerts_;
    std::unique_ptr<Gateway> gateway_;
    std::uint16_t port_ = 0;
    std::string token_;
    std::string one_time_password_;  // of the user admin
};

}  // namespace fieldwarden::supervisor::testing
