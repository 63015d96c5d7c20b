// How a question crosses from another thread to the supervisor's loop and its answer back. For the sources of
// Supervisor alone.
#pragma once

#include <boost/asio/post.hpp>
#include <future>

#include "supervisor/supervisor_loop.h"

namespace fieldwarden::supervisor {

// Posts the question to the loop and waits for its answer. Every question that gets in is answered: the loop
// closes the door before it leaves and then works off what is inside.
template <class T>
Result<T> Supervisor::ask(std::function<void(std::function<void(Result<T>)>)> question) {
    auto promise = std::make_shared<std::promise<Result<T>>>();
    auto answer = promise->get_future();
    {
        const std::lock_guard lock{loop_->shared_mutex_};
        if (!loop_->open_for_questions_) {
            return make_error(ErrorKind::kUnavailable, "the supervisor is not running");
        }
        boost::asio::post(loop_->io_, [question = std::move(question), promise] {
            question([promise](Result<T> result) { promise->set_value(std::move(result)); });
        });
    }
    return answer.get();
}

}  // namespace fieldwarden::supervisor
