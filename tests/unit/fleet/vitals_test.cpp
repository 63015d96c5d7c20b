#include "supervisor/health/vitals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fieldwarden::supervisor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

SupervisorVitals calm() {
    SupervisorVitals vitals;
    vitals.worst_loop_lag_ms = 20;
    vitals.memory_mb = 60;
    vitals.open_descriptors = 100;
    vitals.descriptor_limit = 1024;
    vitals.disk_bytes = 1000ULL << 30;
    vitals.disk_free_bytes = 400ULL << 30;
    vitals.store_queue_depth = 3;
    vitals.worst_store_latency_ms = 40;
    return vitals;
}

std::vector<std::string> issues(const std::function<void(SupervisorVitals&)>& change) {
    auto vitals = calm();
    change(vitals);
    return check_vitals(vitals, {});
}

TEST(Vitals, ACalmSupervisorHasNoIssues) {
    EXPECT_THAT(check_vitals(calm(), {}), IsEmpty());
    EXPECT_THAT(check_vitals({}, {}), IsEmpty()) << "nothing is measured yet";
}

TEST(Vitals, EachLimitIsToldBeforeItIsMet) {
    EXPECT_THAT(issues([](auto& v) { v.worst_loop_lag_ms = 300; }), ElementsAre(HasSubstr("300 ms late")));
    EXPECT_THAT(issues([](auto& v) { v.memory_mb = 1100; }), ElementsAre(HasSubstr("1100 MB")));
    EXPECT_THAT(issues([](auto& v) { v.open_descriptors = 850; }), ElementsAre(HasSubstr("850 of 1024")));
    EXPECT_THAT(issues([](auto& v) { v.disk_free_bytes = 40ULL << 30; }),
                ElementsAre(HasSubstr("4.0 % left")));
    EXPECT_THAT(issues([](auto& v) { v.worst_store_latency_ms = 2500; }), ElementsAre(HasSubstr("2500 ms")));
    EXPECT_THAT(issues([](auto& v) {
                    v.store_queue_depth = 1200;
                    v.store_last_error = "disk full";
                }),
                ElementsAre(AllOf(HasSubstr("1200 writes"), HasSubstr("disk full"))));
}

}  // namespace
}  // namespace fieldwarden::supervisor
