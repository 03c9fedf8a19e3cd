//! What is in force for a while only: between two changes of a plan, or after one of them failed.

use super::*;

/// The manifests with these accounts in another OU.
fn moved(manifests: &str, accounts: &[&str], from: &str, to: &str) -> String {
    accounts.iter().fold(manifests.to_owned(), |text, name| {
        let before = format!("name: {name}\n  organizationalUnitRef: {{name: {from}}}");
        assert!(text.contains(&before), "{text}");
        text.replace(&before, &format!("name: {name}\n  organizationalUnitRef: {{name: {to}}}"))
    })
}

#[tokio::test(start_paused = true)]
async fn what_is_attached_to_an_ou_that_its_accounts_leave_later_counts_until_they_have_left() {
    let units = [unit("old", "", ""), unit("new", "", ""), account("a", "old", ""), account("b", "old", "")].concat();
    let (world, memory) = settle(&[organization(""), units.clone()].concat()).await;
    let after = [organization(STRICT), moved(&units, &["a", "b"], "old", "new"), policy("stop", "*", "old")].concat();
    let shown = lines(&world, &memory, &after, &Options::default()).await;
    let want =
        ["CreatePolicy stop", "MoveAccount a new", "MoveAccount b new", "refused limit-affected stop [AttachPolicy]"];
    assert_eq!(shown, want);
    // What nobody leaves is nothing to anybody.
    let after = [organization(STRICT), moved(&units, &["a", "b"], "old", "new"), policy("stop", "*", "gone")].concat();
    let shown = lines(&world, &memory, &[after, unit("gone", "", "")].concat(), &Options::default()).await;
    assert!(shown.iter().all(|line| !line.starts_with("refused")), "{shown:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_comes_off_an_ou_after_an_account_has_come_there_counts_for_it() {
    let units = [unit("old", "", ""), unit("new", "", ""), account("a", "old", "")].concat();
    let before = [organization(""), units.clone(), policy("stop", "*", "new")].concat();
    let (world, memory) = settle(&before).await;
    let after = [organization(STRICT), moved(&units, &["a"], "old", "new"), policy("stop", "*", "")].concat();
    let shown = lines(&world, &memory, &after, &Options::default()).await;
    assert_eq!(shown, ["DetachPolicy stop new", "refused limit-affected a [MoveAccount]"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_move_was_to_take_an_account_away_from_counts_when_a_window_holds_the_move() {
    let units = [unit("old", "", ""), unit("new", "", ""), account("a", "old", ""), account("b", "new", "")].concat();
    let same = [policy("root", "sns:*", "/"), policy("guard", "s3:*", "old")].concat();
    let before =
        [organization(""), units.clone(), same.clone(), policy("p", "sns:*", "old"), policy("q", "sns:*", "new")];
    let (world, memory) = settle(&before.concat()).await;
    // Where `a` goes it is denied `s3:*` only once `q` says so, after the moves: so it stays, and gets what `p` is to deny.
    let limits = "limits: {maxAffected: {accounts: 1, percent: 100}}";
    let after = [
        organization(limits),
        moved(&units, &["a"], "old", "new"),
        same,
        policy("p", "sqs:*", "old"),
        policy("q", "s3:*", "new"),
    ];
    let shown = lines(&world, &memory, &after.concat(), &Options::default()).await;
    assert!(shown.contains(&"refused window a [MoveAccount]".to_owned()), "{shown:#?}");
    let edits = shown.iter().filter(|line| line.starts_with("UpdatePolicy")).count();
    assert_eq!(edits, 1, "two accounts are affected, and one may be: {shown:#?}");
}
