#include "worker/drivers/modbus/modbus_driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "worker/decode.h"

namespace fieldwarden::worker::modbus {

namespace {

constexpr std::uint8_t kIllegalFunction = 1;
constexpr std::uint8_t kIllegalAddress = 2;
constexpr std::uint8_t kIllegalValue = 3;
constexpr std::uint8_t kGatewayPath = 10;
constexpr std::uint8_t kGatewayTarget = 11;

MonoTime mono_now() {
    return system_clock().mono_now();
}

}  // namespace

std::string_view area_text(ModbusArea area) {
    switch (area) {
        case ModbusArea::kCoil:
            return "coils";
        case ModbusArea::kDiscreteInput:
            return "discrete inputs";
        case ModbusArea::kInputRegister:
            return "input";
        case ModbusArea::kHoldingRegister:
            return "holding";
    }
    return "?";
}

std::string_view exception_text(std::uint8_t code) {
    switch (code) {
        case kIllegalFunction:
            return "illegal function";
        case kIllegalAddress:
            return "illegal data address";
        case kIllegalValue:
            return "illegal data value";
        case 4:
            return "server device failure";
        case 5:
            return "acknowledge (the device needs more time)";
        case 6:
            return "server device busy";
        case 7:
            return "negative acknowledge";
        case 8:
            return "memory parity error";
        case kGatewayPath:
            return "gateway path unavailable";
        case kGatewayTarget:
            return "gateway target device failed to respond";
        default:
            return "an exception the standard does not know";
    }
}

ModbusDriver::ModbusDriver(std::vector<Point> points, const std::vector<ReadPoint>& places, Settings settings,
                           std::unique_ptr<Link> link)
    : points_(std::move(points)),
      settings_(settings),
      link_(std::move(link)),
      random_(std::random_device{}()),
      retry_at_(points_.size()),
      slots_(points_.size()) {
    std::map<std::uint8_t, std::vector<ReadPoint>> by_unit;
    places_.reserve(places.size());
    for (const auto& place : places) {
        by_unit[place.unit].push_back(place);
        places_.push_back({.unit = place.unit,
                           .area = static_cast<ModbusArea>(place.area),
                           .offset = static_cast<std::uint16_t>(place.offset)});
    }
    for (auto& [id, of_unit] : by_unit)
        units_.push_back({.id = id, .plan = {std::move(of_unit), settings_.limits}});
}

Status ModbusDriver::connect() {
    moved();
    auto status = link_->connect();
    if (!status) failed_step_ = link_->failed_step();
    // A new connection is a new chance for units that were silent on the old one.
    for (auto& unit : units_) unit.ask_again_at = {};
    first_request_ = true;
    moved();
    return status;
}

void ModbusDriver::disconnect() {
    link_->disconnect();
}

Status ModbusDriver::read(std::span<const std::uint32_t> due, SampleBatch& out) {
    slots_.begin(due, points_, out);
    broken_.reset();
    silence_.clear();
    spoilt_.clear();
    searches_left_ = kSearchRequestsPerRead;
    answers_ = 0;
    response_ms_ = 0;
    responses_ = 0;
    stats_.last_refusal.clear();

    for (auto& unit : units_) {
        if (broken_) break;
        read_unit(unit);
    }
    slots_.end(due);
    count_link();
    if (responses_ != 0) stats_.last_response_ms = response_ms_ / responses_;

    if (broken_) {
        failed_step_ = ConnectStep::kRead;
        return *broken_;
    }
    // Nobody at all answered: the connection itself is in doubt.
    if (answers_ == 0 && !spoilt_.empty()) {
        failed_step_ = ConnectStep::kRead;
        return make_error(ErrorKind::kCorrupt, spoilt_);
    }
    if (answers_ == 0 && !silence_.empty()) {
        failed_step_ = ConnectStep::kRead;
        return make_error(ErrorKind::kTimeout,
                          fmt::format("{} timed out after {} ms", silence_, settings_.timeout.count()));
    }
    return {};
}

void ModbusDriver::read_unit(Unit& unit) {
    const bool shared = units_.size() > 1;
    if (shared && unit.timeouts_in_row > 0 && mono_now() < unit.ask_again_at) {
        mark_unit(unit, QualityCode::kTimeout);
        return;
    }
    std::vector<ReadRequest> to_search;
    std::vector<ReadPoint> to_refuse;
    unsigned spoilt_in_row = 0;
    for (const auto& request : unit.plan.requests()) {
        if (!slots_.any_due(request)) continue;
        switch (run(request)) {
            case Step::kDone:
                unit.timeouts_in_row = spoilt_in_row = 0;
                break;
            case Step::kRefused:
                unit.timeouts_in_row = spoilt_in_row = 0;
                slots_.mark(request.points, QualityCode::kIllegalAddress);
                if (illegal_function_) {
                    to_refuse.insert(to_refuse.end(), request.points.begin(), request.points.end());
                } else {
                    to_search.push_back(request);
                }
                break;
            case Step::kSpoiled:
                stats_.last_refusal = spoilt_;
                slots_.mark(request.points, QualityCode::kDecode);
                if (++spoilt_in_row < kSpoiledInARow) break;
                mark_unit(unit, QualityCode::kDecode);
                put_off(unit);
                return;
            case Step::kSilent:
                // The other requests of a silent unit would each wait in vain.
                mark_unit(unit, QualityCode::kTimeout);
                put_off(unit);
                stats_.last_refusal =
                    fmt::format("{} timed out after {} ms", silence_, settings_.timeout.count());
                return;
            case Step::kBroken:
                return;
        }
    }
    if (!to_refuse.empty()) {
        unit.plan.refuse(to_refuse);
        postpone(to_refuse);
    }
    for (const auto& request : to_search) {
        if (broken_) return;
        search(unit, request);
    }
    if (!broken_) probe_illegal(unit);
}

// Puts off the unit's next turn, when others wait for the connection.
void ModbusDriver::put_off(Unit& unit) {
    ++unit.timeouts_in_row;
    const double random = std::uniform_real_distribution<double>{0, 1}(random_);
    unit.ask_again_at = mono_now() + backoff_delay(settings_.silent_unit, unit.timeouts_in_row, random);
}

// Bisects a refused request. Points it did not get to keep bad/illegal_address; the next read goes on where
// this one's learning ends.
void ModbusDriver::search(Unit& unit, const ReadRequest& refused) {
    RefusalSearch search{refused};
    bool talking = true;
    while (talking && search.next() && searches_left_ > 0) {
        --searches_left_;
        switch (run(*search.next())) {
            case Step::kDone:
                search.answered();
                break;
            case Step::kRefused:
                search.refused();
                break;
            case Step::kSpoiled:
            case Step::kSilent:
            case Step::kBroken:
                talking = false;
                break;
        }
    }
    unit.plan.learn(search);
    postpone(search.illegal());
}

void ModbusDriver::postpone(std::span<const ReadPoint> illegal) {
    for (const auto& place : illegal) retry_at_[place.index] = mono_now() + settings_.illegal_retry;
}

void ModbusDriver::probe_illegal(Unit& unit) {
    const auto& illegal = unit.plan.illegal();
    std::vector<ReadPoint> restored;
    unsigned probes_left = kProbesPerRead;
    const auto first = unit.next_probe;
    bool talking = true;
    for (std::size_t i = 0; i < illegal.size(); ++i) {
        const auto at = (first + i) % illegal.size();
        const auto& request = illegal[at];
        if (!slots_.any_due(request)) continue;
        slots_.mark(request.points, QualityCode::kIllegalAddress);
        if (!talking || probes_left == 0 || mono_now() < retry_at_[request.points.front().index]) continue;
        --probes_left;
        unit.next_probe = at + 1;
        const auto step = run(request);
        talking = step == Step::kDone || step == Step::kRefused;
        if (step == Step::kDone) {
            restored.push_back(request.points.front());
        } else {
            postpone(request.points);
        }
    }
    if (!restored.empty()) unit.plan.restore(std::move(restored));
}

// One exchange after the pause the device wants, counted.
Reply ModbusDriver::ask(const Request& request) {
    if (!first_request_ && settings_.inter_request_delay.count() > 0 &&
        link_->pause(settings_.inter_request_delay)) {
        return reply_of(Outcome::kInterrupted);
    }
    first_request_ = false;
    ++stats_.requests;
    moved();
    auto reply = link_->exchange(request);
    moved();
    switch (reply.outcome) {
        case Outcome::kException:
            ++stats_.exceptions;
            [[fallthrough]];
        case Outcome::kAnswer:
            stats_.response_times.add(reply.took);
            break;
        case Outcome::kTimeout:
        case Outcome::kTornTimeout:
            ++stats_.timeouts;
            break;
        case Outcome::kSpoiled:
        case Outcome::kGarbled:
            ++own_broken_answers_;
            break;
        case Outcome::kLost:
            ++stats_.lost_connections;
            break;
        case Outcome::kInterrupted:
            break;
    }
    return reply;
}

void ModbusDriver::count_link() {
    stats_.bytes_sent = link_->bytes_sent;
    stats_.bytes_received = link_->bytes_received;
    stats_.broken_answers = own_broken_answers_ + link_->stray_answers;
}

// What a reply means that leaves the connection unusable; `what` was asked.
Error ModbusDriver::broken(const Reply& reply, const std::string& what) const {
    switch (reply.outcome) {
        case Outcome::kAnswer:
        case Outcome::kException:
            break;
        case Outcome::kTimeout:
            return make_error(ErrorKind::kTimeout,
                              fmt::format("{} timed out after {} ms", what, settings_.timeout.count()));
        case Outcome::kTornTimeout:
            return make_error(ErrorKind::kTimeout,
                              fmt::format("{}: the answer broke off and did not end within {} ms", what,
                                          settings_.timeout.count()));
        case Outcome::kSpoiled:
        case Outcome::kGarbled:
            return make_error(ErrorKind::kCorrupt, fmt::format("{}: {}", what, reply.why));
        case Outcome::kLost:
            return make_error(ErrorKind::kUnavailable, fmt::format("{}: {}", what, reply.why));
        case Outcome::kInterrupted:
            return make_error(ErrorKind::kUnavailable, fmt::format("{} was interrupted", what));
    }
    return make_error(ErrorKind::kInternal, fmt::format("{}: no trouble at all", what));
}

ModbusDriver::Step ModbusDriver::run(const ReadRequest& request) {
    const auto reply = ask(
        request_of(ReadCommand{.unit = request.span.unit,
                               .area = static_cast<ModbusArea>(request.span.area),
                               .offset = static_cast<std::uint16_t>(request.span.begin),
                               .count = static_cast<std::uint16_t>(request.span.end - request.span.begin)}));
    if (reply.outcome == Outcome::kAnswer || reply.outcome == Outcome::kException) {
        ++answers_;
        ++responses_;
        response_ms_ += std::chrono::duration<double, std::milli>(reply.took).count();
    }
    switch (reply.outcome) {
        case Outcome::kAnswer:
            decode(request, reply.data);
            return Step::kDone;
        case Outcome::kException: {
            stats_.last_refusal = fmt::format("{}: the device answers exception {} ({})", describe(request),
                                              reply.exception, exception_text(reply.exception));
            illegal_function_ = reply.exception == kIllegalFunction;
            if (illegal_function_ || reply.exception == kIllegalAddress || reply.exception == kIllegalValue)
                return Step::kRefused;
            slots_.mark(request.points,
                        reply.exception == kGatewayPath ? QualityCode::kDisconnected : QualityCode::kTimeout);
            return Step::kDone;
        }
        case Outcome::kTimeout:
            silence_ = describe(request);
            return Step::kSilent;
        case Outcome::kSpoiled:
            spoilt_ = broken(reply, describe(request)).message;
            return Step::kSpoiled;
        case Outcome::kTornTimeout:
            slots_.mark(request.points, QualityCode::kTimeout);
            break;
        case Outcome::kGarbled:
            slots_.mark(request.points, QualityCode::kDecode);
            break;
        case Outcome::kLost:
        case Outcome::kInterrupted:
            break;
    }
    broken_ = broken(reply, describe(request));
    return Step::kBroken;
}

void ModbusDriver::decode(const ReadRequest& request, std::span<const std::uint8_t> data) {
    const auto now = system_clock().utc_now();
    const bool bits = request.points.front().is_bit;
    if (!bits) {
        words_.resize(data.size() / 2);
        for (std::size_t i = 0; i < words_.size(); ++i)
            words_[i] = static_cast<std::uint16_t>(data[2 * i] << 8 | data[2 * i + 1]);
    }
    for (const auto& place : request.points) {
        auto* const sample = slots_.find(place.index);
        if (sample == nullptr) continue;
        const auto& point = points_[place.index];
        const auto at = place.offset - request.span.begin;
        bool valid = true;
        if (bits) {
            sample->value = (data[at / 8] >> (at % 8) & 1) != 0;
        } else {
            valid = decode_words(std::span{words_}.subspan(at, place.count), point.type, point.order,
                                 point.bit, sample->value);
        }
        ReadSlots::settle(*sample, valid, now);
    }
}

// All due points of the unit that hold no good value of this read.
void ModbusDriver::mark_unit(const Unit& unit, QualityCode code) {
    const auto mark_requests = [&](const std::vector<ReadRequest>& requests) {
        for (const auto& request : requests) {
            for (const auto& place : request.points) {
                const auto* const sample = slots_.find(place.index);
                if (sample != nullptr && sample->quality == Quality::kBad)
                    slots_.mark(std::span{&place, 1}, code);
            }
        }
    };
    mark_requests(unit.plan.requests());
    mark_requests(unit.plan.illegal());
}

std::string ModbusDriver::describe(const ReadRequest& request) const {
    return fmt::format("modbus {} unit {}: read {} {}..{}", link_->name(), request.span.unit,
                       area_text(static_cast<ModbusArea>(request.span.area)), request.span.begin,
                       request.span.end - 1);
}

}  // namespace fieldwarden::worker::modbus
