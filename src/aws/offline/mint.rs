//! Ids and page tokens of AWS's form, the same for the same seed.

use std::str::FromStr;

use super::state::State;
use crate::aws::dice::Dice;
use crate::names::{AccountId, OrganizationId, PolicyId, RootId, UnitId};

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const DIGITS: &[u8] = b"0123456789";
const HEX: &[u8] = b"0123456789abcdef";

/// Draws until the text has the form of the id and is not taken.
fn draw<T: FromStr>(dice: &mut Dice, mut text: impl FnMut(&mut Dice) -> String, taken: impl Fn(&T) -> bool) -> T {
    loop {
        if let Ok(id) = text(dice).parse::<T>()
            && !taken(&id)
        {
            return id;
        }
    }
}

pub(super) fn organization(dice: &mut Dice) -> OrganizationId {
    draw(dice, |dice| format!("o-{}", dice.text(LOWER, 10)), |_| false)
}
pub(super) fn root(dice: &mut Dice) -> RootId {
    draw(dice, |dice| format!("r-{}", dice.text(LOWER, 4)), |_| false)
}
/// Leading zeros are as likely as any digit, as on AWS, since they are what careless tools lose.
pub(super) fn first_account(dice: &mut Dice) -> AccountId {
    draw(dice, |dice| dice.text(DIGITS, 12), |_| false)
}

impl State {
    pub(super) fn mint_account(&mut self) -> AccountId {
        let Self { dice, accounts, .. } = self;
        draw(dice, |dice| dice.text(DIGITS, 12), |id| accounts.contains_key(id))
    }
    pub(super) fn mint_unit(&mut self) -> UnitId {
        let Self { dice, units, root, .. } = self;
        let root = root.id.as_str().trim_start_matches("r-");
        draw(dice, |dice| format!("ou-{root}-{}", dice.text(LOWER, 8)), |id| units.contains_key(id))
    }
    pub(super) fn mint_policy(&mut self) -> PolicyId {
        let Self { dice, policies, .. } = self;
        draw(dice, |dice| format!("p-{}", dice.text(LOWER, 8)), |id| policies.contains_key(id))
    }
    pub(super) fn mint_creation(&mut self) -> String {
        format!("car-{}", self.dice.text(HEX, 32))
    }
}

/// A page token: where the list goes on, bound to the list it belongs to. Opaque to callers, as AWS's are.
pub(super) fn token(scope: &str, cursor: &str) -> String {
    let mut text = format!("{:016x}", fingerprint(scope));
    for byte in cursor.bytes() {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// The cursor in a token, if the token is one of that list.
pub(super) fn cursor(scope: &str, token: &str) -> Option<String> {
    let (own, rest) = (token.get(..16)?, token.get(16..)?);
    if own != format!("{:016x}", fingerprint(scope)) || !rest.is_ascii() {
        return None;
    }
    let bytes: Option<Vec<u8>> =
        (0..rest.len()).step_by(2).map(|at| u8::from_str_radix(rest.get(at..at + 2)?, 16).ok()).collect();
    String::from_utf8(bytes?).ok()
}

/// FNV-1a.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_only_to_their_list() {
        let text = token("ListPolicies/SERVICE_CONTROL_POLICY", "Ünïcode name");
        assert_eq!(cursor("ListPolicies/SERVICE_CONTROL_POLICY", &text).as_deref(), Some("Ünïcode name"));
        assert_eq!(cursor("ListPolicies/TAG_POLICY", &text), None);
        for bad in ["", "x", "ünüsual", "0123456789abcdef0"] {
            assert_eq!(cursor("ListPolicies/TAG_POLICY", bad), None, "{bad}");
        }
        let odd = format!("{text}f");
        assert_eq!(cursor("ListPolicies/SERVICE_CONTROL_POLICY", &odd), None);
    }
}
