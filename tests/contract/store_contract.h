// The contract of Store, run over every implementation: store_contract.cpp holds the tests, one file per
// implementation names itself in store_implementations().
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "supervisor/store/store.h"
#include "tests/unit/common/temp_dir.h"

namespace fieldwarden::supervisor {

struct StoreImplementation {
    std::string name;
    // Opens the store kept in this (existing, private) directory; a second call sees what the first stored.
    std::function<Result<std::unique_ptr<Store>>(const std::string& directory)> open;
};

std::vector<StoreImplementation> store_implementations();
// In databases of a server that the test program starts when it is first needed.
StoreImplementation postgres_implementation();

class StoreTest : public testing::TestWithParam<StoreImplementation> {
  protected:
    void SetUp() override { reopen(); }
    void reopen() {
        store_.reset();
        auto opened = GetParam().open(directory_.path().string());
        ASSERT_TRUE(opened) << opened.error().message;
        store_ = std::move(*opened);
    }
    TempDir directory_;
    std::unique_ptr<Store> store_;
};

}  // namespace fieldwarden::supervisor
