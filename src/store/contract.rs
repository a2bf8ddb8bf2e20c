//! What every backend of the store must do: one suite, stamped for each backend by [`contract_suite`].

pub(super) mod adopting;
pub(super) mod applying;
pub(super) mod auditing;
pub(super) mod budgets;
pub(super) mod claiming;
pub(super) mod creating;
pub(super) mod dying;
pub(super) mod ending;
pub(super) mod events;
pub(super) mod explaining;
pub(super) mod house;
pub(super) mod late;
pub(super) mod model;
pub(super) mod outcomes;
pub(super) mod pins;
pub(super) mod proving;
pub(super) mod quotas;
pub(super) mod registering;
pub(super) mod replacing;
pub(super) mod sharing;
pub(super) mod spilling;
pub(super) mod tokens;

use std::path::Path;

use super::SharedStore;

/// A folder for a test's database: in memory where the system has such a place, since what a test waits for at a disk
/// proves nothing.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a folder can be made")
}

/// A backend under test, with a database of its own.
pub(super) trait Backend: Send + Sized {
    async fn open() -> Self;

    /// Two handles on the one database; the same one twice where the backend serves from a single process.
    fn handles(&self) -> [SharedStore; 2];

    /// A crash: the database is opened again as it is on disk now, without anything being closed first.
    async fn reopen(&mut self);

    /// Recounts every counter from what it counts, and looks for rows that nothing names any more.
    async fn check(&self);
}

/// Stamps the suite for one backend.
macro_rules! contract_suite {
    ($backend:ty) => {
        contract_suite! { $backend;
            pins: accepted_pins_are_read_back_as_they_were_sent, a_pin_is_gone_at_once_and_only_once,
                accounts_do_not_see_each_other, shared_content_is_removed_upstream_with_its_last_pin,
                found_copies_are_never_deleted, identity_cids_are_pinned_at_once_and_placed_nowhere,
                a_request_that_fails_leaves_the_others_intact, what_was_acknowledged_survives_a_crash,
                a_pin_wanted_again_while_it_is_removed_is_kept,
                origins_of_later_pins_reach_a_copy_of_ours_that_is_on_its_way,
                origins_never_reach_a_pin_that_is_not_ours;
            creating: created_rises_strictly_in_a_burst_of_many_writers,
                created_rises_while_the_clock_jumps, created_rises_from_deleted_pins_too,
                accounts_have_clocks_of_their_own, lists_and_counts_agree_while_pins_come_and_go;
            quotas: a_pin_too_many_is_refused_and_nothing_is_recorded,
                many_adds_at_once_stop_exactly_at_the_quota,
                deletes_give_pins_and_bytes_back_but_not_the_days_count, a_new_day_begins_at_midnight_utc,
                a_replace_counts_to_the_day_and_frees_what_the_old_pin_took,
                a_refused_replace_leaves_the_old_pin, a_lowered_quota_lets_be_what_is_there;
            replacing: the_same_content_keeps_its_copies_under_a_new_id,
                another_content_holds_the_old_pinned_copies_until_the_new_need_is_met,
                a_chain_of_replaces_holds_four_contents, held_copies_expire_after_seven_days,
                what_is_replaced_by_another_policy_is_kept_until_it_has_moved,
                a_replace_by_another_order_of_providers_takes_all_copies_along,
                a_replace_by_a_policy_of_fewer_copies_lets_go_of_the_others,
                a_pin_that_is_not_there_is_replaced_by_nothing,
                a_held_copy_that_is_asked_for_again_is_own;
            adopting: what_is_listed_becomes_pins_the_oldest_first_with_their_copies,
                adopted_copies_go_with_their_last_pin, adopting_twice_and_over_crashes_makes_each_pin_once,
                further_pins_of_one_content_become_pins_of_one_copy,
                a_double_goes_only_beside_one_that_is_confirmed,
                what_was_found_there_becomes_adopted_and_its_pin_is_not_doubled,
                a_pin_that_a_client_made_meanwhile_is_not_doubled,
                what_a_client_deletes_meanwhile_does_not_come_back,
                i8_what_was_listed_stands_for_a_copy_that_was_not,
                nothing_is_decided_on_while_a_call_is_under_way,
                a_dry_run_counts_pins_and_copies_and_makes_nothing, what_a_cancelled_job_staged_is_forgotten;
            ending: a_pin_whose_time_has_come_is_deleted_whole,
                pins_go_in_the_order_of_their_ends_a_limit_at_a_time, a_replace_sets_the_end_anew,
                the_sooner_of_what_client_and_policy_say_counts, an_end_is_counted_from_the_acceptance,
                an_end_survives_a_crash;
            claiming: i8_what_is_about_to_be_deleted_helps_a_pin_that_does_not_name_its_provider,
                i8_a_pin_that_is_another_entrys_copy_too_is_not_deleted, i8_what_is_about_to_be_deleted_goes_to_a_pin_that_lacks_a_copy,
                removes_go_before_submits_polls_and_verifies, a_claim_that_finds_nothing_tells_when_there_is_something, a_provider_is_down_since_now_at_the_latest, accounts_are_served_in_turn,
                an_account_with_work_is_found_behind_many_that_wait, a_lease_keeps_others_off_until_it_ends,
                an_outcome_of_an_older_claim_changes_nothing, submits_that_nobody_wants_do_not_begin,
                a_submit_does_not_begin_within_a_doubt, a_restart_frees_claims_and_keeps_doubts,
                a_submit_carries_the_name_of_the_first_pin_that_asks,
                a_submit_carries_the_name_that_the_policy_says;
            sharing: accounts_are_served_by_weight, three_removes_go_before_each_submit,
                new_pins_are_looked_at_before_old_ones;
            budgets: i9_no_window_holds_more_starts_than_planned_whoever_asks_and_over_crashes,
                i9_no_window_holds_more_starts_than_planned_by_clocks_that_are_turned,
                i9_calls_that_never_left_are_free_again,
                i9_calls_of_a_clock_that_was_ahead_count_for_one_window_from_now,
                i9_calls_that_are_counted_out_of_turn_count_for_as_long,
                i9_what_refusals_taught_and_how_the_clock_stood_survive_a_crash,
                i9_a_claim_takes_no_more_work_than_there_are_calls_for,
                i9_a_claim_counts_the_looks_before_submits,
                i9_a_spent_list_budget_stops_looks_but_no_submits_or_removes,
                i9_no_more_is_queued_at_a_provider_than_it_takes, doubts_are_settled_though_no_place_is_left,
                leases_that_ran_out_are_taken_up_though_they_fill_all_places;
            outcomes: many_pins_of_one_copy_end_equal, a_fan_out_survives_a_crash, polls_are_hastened_for_those_who_ask,
                polls_of_one_provider_are_brought_forward_to_a_limit,
                doubles_are_deleted_later_and_stay_on_record_until_then,
                a_double_that_is_all_there_is_left_is_kept, delegates_are_kept_for_later,
                waiting_clients_are_answered_once_every_copy_is;
            spilling: a_refused_copy_goes_to_the_next_provider, a_stalled_copy_goes_to_the_next_provider,
                copies_of_a_provider_that_is_down_go_to_the_next, what_was_never_sent_is_dropped_once_whole,
                a_pin_that_nobody_takes_fails_and_is_tried_anew_by_the_next,
                a_given_up_copy_goes_on_asking_for_somewhere_to_go,
                a_respill_during_a_fan_out_begins_it_anew,
                tags_that_change_have_a_providers_pins_settled_anew,
                a_copy_that_is_there_already_counts_for_who_spills_over_to_it;
            late: a_copy_that_is_late_goes_to_the_next_provider, a_late_copy_that_comes_after_all_stays_or_goes_by_policy,
                late_copies_are_taken_up_a_limit_at_a_time;
            applying: an_applied_revision_is_followed_a_limit_at_a_time_and_over_a_crash,
                i8_what_a_new_revision_does_not_ask_for_goes_once_another_copy_is_confirmed,
                a_plan_of_a_drain_says_what_moves_and_who_cannot, a_plan_of_what_nobody_knows_is_refused,
                a_job_that_is_told_something_counts_only_so_many_of_the_copies_that_go,
                a_copy_that_another_pin_needs_does_not_go, identity_cids_follow_and_need_nothing;
            dying: what_a_dead_provider_holds_is_asked_for_elsewhere, the_dead_stay_so_until_they_can_be_used,
                one_that_comes_back_into_the_config_is_healthy,
                one_that_was_down_when_it_left_the_config_has_its_time_anew,
                settling_anew_survives_a_crash_and_begins_again_where_things_change,
                fewest_live_copies_go_first_then_the_policys_priority_then_age;
            registering: an_account_with_pins_cannot_vanish, a_policy_that_changes_binds_new_pins_only,
                a_provider_may_be_absent_and_come_back, another_fingerprint_is_refused_until_rebound,
                a_rebind_to_the_same_account_keeps_the_copies, a_rebind_to_a_new_account_makes_them_again,
                a_rebind_to_a_new_account_ends_the_adoption_from_the_old_one,
                a_clock_that_went_back_is_warned_of, the_next_start_is_told_the_time_that_was_believed_last, another_config_leaves_claims_alone,
                an_account_that_left_takes_no_more_pins, an_account_leaves_or_a_pin_comes_but_not_both, a_credential_is_proven_by_copies_on_record;
            tokens: a_token_is_read_back_as_it_was_made_also_after_a_crash,
                a_live_name_and_a_secret_belong_to_one_token,
                what_changed_is_found_by_the_revision_seen_before,
                a_revoked_token_stays_so_from_its_first_revocation,
                a_rotated_token_lives_on_for_the_overlap_and_no_longer_than_before,
                the_last_use_of_a_token_is_kept,
                tokens_that_ended_long_ago_are_forgotten_but_for_operators;
            events: a_status_change_is_an_event_and_what_changes_none_is_not, a_job_that_begins_came_from_no_state,
                a_providers_health_is_an_event_when_it_changes, what_operators_do_is_an_event_that_names_them,
                events_are_read_on_from_a_cursor, events_are_read_by_account_and_by_kind,
                the_newest_that_match_are_read_without_a_cursor,
                events_that_are_old_or_too_many_are_forgotten_step_by_step_but_never_the_newest,
                what_a_refused_request_would_have_told_is_no_event,
                a_pin_that_goes_away_by_itself_is_an_event;
            explaining: a_pin_is_explained_whoever_has_it, a_pin_is_explained_with_the_copies_that_it_holds;
            auditing: what_a_list_showed_survives_a_crash_and_the_rest_is_suspect,
                an_audit_gives_way_to_what_is_new_though_calls_have_no_limit,
                suspects_are_looked_at_and_only_that_loses_them,
                a_suspect_whose_look_fails_is_asked_for_again_in_its_time_and_a_few_times,
                a_suspect_that_nobody_wants_any_more_is_dropped, orphans_are_what_nobody_here_knows,
                doubles_that_are_being_removed_are_no_orphans,
                copies_of_a_swept_provider_get_looks_again_when_it_is_swept_no_more;
            proving: a_sample_is_of_copies_that_were_confirmed_each_once,
                a_provider_that_serves_nothing_gets_nothing_and_counts_no_more_where_proof_is_asked_for,
                a_gateway_that_is_down_changes_nothing_but_is_noted,
                whoever_tells_how_many_copies_a_pin_has_tells_the_same,
                what_a_gateway_showed_is_forgotten_with_it_and_with_the_last_copy;
            model: counters_and_statuses_agree_after_every_random_step, nothing_is_left_once_all_is_deleted;
        }
    };
    ($backend:ty; $($theme:ident: $($test:ident),+;)+) => {
        $(mod $theme {
            use super::*;
            $(#[tokio::test]
            async fn $test() {
                crate::store::contract::$theme::$test::<$backend>().await;
            })+
        })+
    };
}
pub(super) use contract_suite;
