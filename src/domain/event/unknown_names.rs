//! Fields that no event has. They are ignored, but a misspelled one must not go unnoticed: an event says whether it has
//! any, and [`unknown_names`] names them.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::value::RawValue;

use crate::domain::event::fields::json_text;
use crate::domain::event::fields::visible;
use crate::domain::event::unknown_fields::Level;
use crate::domain::feature_source::FeatureSource;

/// Characters of a name that are shown.
const NAME_CHARACTERS_MAX: usize = 40;
/// The most names that are read from one event.
const NAMES_MAX: usize = 64;
/// A name with so many edits, or fewer, may be meant for another.
const EDITS_MAX: usize = 2;
/// A shorter name is not taken for another one.
const MISSPELLED_CHARACTERS_MIN: usize = 4;

/// The name of a field that no event has, or of an attribute that no model reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnknownName {
    /// Its beginning, with the object in which it stands; what cannot be seen is escaped.
    pub name: String,
    /// The field that may be meant.
    pub meant: Option<String>,
    /// It is an attribute, which is kept; no model reads it, as a feature of its name is computed.
    pub is_attribute: bool,
}

/// Names the fields of an event that no event has, at most 64 of them. Empty where it is no JSON object.
#[must_use]
pub fn unknown_names(payload: &[u8]) -> Vec<UnknownName> {
    let text = std::str::from_utf8(payload).unwrap_or_default();
    let event = members(text);
    let mut found = unknown_of(&event, Level::Event);
    for (name, value) in &event.0 {
        match &**name {
            "profile" => {
                let profile = members(value.get());
                found.extend(unknown_of(&profile, Level::Profile));
                let mut members_of_profile = profile.0.iter();
                let attributes = members_of_profile.find(|(name, _)| **name == *"attributes");
                let attributes = attributes.map(|(_, value)| members(value.get()));
                found.extend(attributes.iter().flat_map(of_features));
            }
            "products" => {
                let lines: Vec<Members<'_>> = serde_json::from_str(value.get()).unwrap_or_default();
                for line in &lines {
                    found.extend(unknown_of(line, Level::Product));
                }
            }
            _ => {}
        }
    }
    found.sort_unstable();
    found.dedup();
    found.truncate(NAMES_MAX);
    found
}

fn members(json: &str) -> Members<'_> {
    serde_json::from_str(json).unwrap_or(Members(Vec::new()))
}

fn unknown_of(members: &Members<'_>, level: Level) -> Vec<UnknownName> {
    let known = level.known();
    let names = members.0.iter().map(|(name, _)| name);
    let unknown = names.filter(|name| !known.contains(&&***name));
    let named = unknown.take(NAMES_MAX).map(|name| UnknownName {
        name: format!("{}{}", level.prefix(), shown(name)),
        meant: meant(level, name).map(|meant| format!("{}{meant}", level.prefix())),
        is_attribute: false,
    });
    named.collect()
}

/// The attributes that no model reads, as a feature of their name is computed from other facts.
fn of_features(attributes: &Members<'_>) -> Vec<UnknownName> {
    let computed = attributes.0.iter().filter(|(name, _)| is_of_feature(name));
    let named = computed.map(|(name, _)| UnknownName {
        name: format!("{}{name}", Level::Attribute.prefix()),
        meant: match &**name {
            "age" => Some("profile.birth_year"),
            "income" => Some("profile.income"),
            "tenure_days" => Some("profile.joined_at"),
            _ => None,
        }
        .map(str::to_owned),
        is_attribute: true,
    });
    named.collect()
}

/// Whether a computed feature has this name.
pub(super) fn is_of_feature(attribute: &str) -> bool {
    FeatureSource::names().any(|feature| feature == attribute)
}

fn shown(name: &str) -> String {
    if name.is_empty() {
        return "\"\"".to_owned();
    }
    visible(name, NAME_CHARACTERS_MAX)
}

/// The field that a name may be meant for.
fn meant(level: Level, name: &str) -> Option<&'static str> {
    if level == Level::Event && means_customer(name) {
        return Some("customer_id");
    }
    let plain = plain(name);
    if plain.len() < MISSPELLED_CHARACTERS_MIN || plain.len() > NAME_CHARACTERS_MAX {
        return None;
    }
    let edits = |known: &str| strsim::damerau_levenshtein(&plain, &self::plain(known));
    let known = level.known().iter().copied();
    let (edits, known) = known.map(|known| (edits(known), known)).min()?;
    // Of a short name, two edits leave little.
    let edits_max = EDITS_MAX.min(plain.len() / MISSPELLED_CHARACTERS_MIN);
    (edits <= edits_max).then_some(known)
}

/// Small letters and digits alone, in which `customerId`, `Customer-ID` and `customer_id` are the same.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|letter| letter.is_alphanumeric());
    let letters = letters.take(NAME_CHARACTERS_MAX + 1);
    letters.flat_map(char::to_lowercase).collect()
}

/// A field that is not `customer_id`, but whose name says that it holds the customer.
#[must_use]
pub fn means_customer(name: &str) -> bool {
    const OTHERS: [&str; 10] = [
        "userid",
        "accountid",
        "memberid",
        "buyerid",
        "shopperid",
        "consumerid",
        "clientid",
        "patronid",
        "custid",
        "custno",
    ];
    // A customer's e-mail address is not among them: orders of guests have one.
    const ENDS: [&str; 19] = [
        "", "i", "d", "id", "di", "idd", "iid", "ids", "no", "nr", "num", "number", "key", "code",
        "uuid", "guid", "uid", "ref", "user",
    ];
    let plain = plain(name);
    if OTHERS.contains(&&*plain) {
        return true;
    }
    match plain.strip_prefix("customer") {
        // `customer_ip` and `customer_vip` are other things.
        Some(end) => ENDS.contains(&end),
        None => {
            plain.ends_with("id")
                && plain.len() <= NAME_CHARACTERS_MAX
                && strsim::damerau_levenshtein(&plain, "customerid") <= EDITS_MAX
        }
    }
}

/// The first field that holds the customer under another name than `customer_id`: its name and its value.
pub(super) fn misspelled_customer(payload: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(payload).ok()?;
    let members: Members<'_> = serde_json::from_str(text).ok()?;
    let is_stated = |value: &RawValue| {
        let text = json_text(value.get());
        value.get() != "null" && text.is_none_or(|text| !text.trim().is_empty())
    };
    let mut named = members.0.iter();
    let (name, value) = named.find(|(name, value)| {
        **name != *"customer_id" && means_customer(name) && is_stated(value)
    })?;
    Some((shown(name), value.get().to_owned()))
}

/// The members of an object in their order.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(name) = map.next_key::<&'de RawValue>()? {
                    // A name that is not Unicode is none of those that are read.
                    let name = json_text(name.get()).unwrap_or_default();
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_customer_id_are_told_from_others_of_the_customer() {
        for name in [
            "customerid",
            "customer_Id",
            "CustomerID",
            "customerId",
            "Customer Id",
            "customer-id",
            "customer",
            "customer_no",
            "CustomerNumber",
            "custmer_id",
            "costumer_id",
            "cutsomer_id",
            "cust_id",
            "userId",
            "user_id",
            "account_id",
            "memberId",
            "clientId",
            "client_id",
            "patron_id",
            "customer_uuid",
            "customerGuid",
            "customer_uid",
            "customer_ref",
            "customer_user",
        ] {
            assert!(means_customer(name), "{name}");
        }
        for name in [
            "customer_ip",
            "customer_vip",
            "customer_age",
            "customer_email",
            "customers",
            "id",
            "customer_user_agent",
            "session_id",
            "user",
            "user_agent",
            "store_id",
            "",
            "顧客",
        ] {
            assert!(!means_customer(name), "{name}");
        }
    }

    #[test]
    fn unknown_fields_are_named_with_what_may_be_meant() {
        let payload = r#"{"type":"order.completed","Currncy":"USD","store_locale":"de","tags":[1],"revenu":1,
            "products":[{"sku":"a","catgory":"x"},{"brand":1},{"brand":2}],"profile":{"birthyear":1},"\ud800":1,
            "a\u0000\u202e":1}"#;
        let found = unknown_names(payload.as_bytes());
        let shown: Vec<(&str, Option<&str>)> = found
            .iter()
            .map(|each| (&*each.name, each.meant.as_deref()))
            .collect();
        assert_eq!(
            shown,
            [
                ("\"\"", None),
                ("Currncy", Some("currency")),
                ("a\\u{0}\\u{202e}", None),
                ("products.brand", None),
                ("products.catgory", Some("products.category")),
                ("profile.birthyear", Some("profile.birth_year")),
                ("revenu", Some("revenue")),
                ("tags", None),
            ]
        );
        let payload = r#"{"type":"customer.updated","profile":{"attributes":{"age":44,"pets":1,"orders":2}}}"#;
        let found = unknown_names(payload.as_bytes());
        let shown: Vec<(&str, Option<&str>)> = found
            .iter()
            .map(|each| (&*each.name, each.meant.as_deref()))
            .collect();
        assert_eq!(
            shown,
            [
                ("profile.attributes.age", Some("profile.birth_year")),
                ("profile.attributes.orders", None),
            ]
        );
        assert!(found.iter().all(|each| each.is_attribute), "{found:?}");
        for nothing in ["", "[]", "1", "{\"a\":1", "\u{0}"] {
            assert_eq!(unknown_names(nothing.as_bytes()), [], "{nothing}");
        }
    }

    #[test]
    fn a_long_name_is_cut_and_many_are_not_all_named() {
        let long = "x".repeat(100_000);
        let found = unknown_names(format!("{{\"{long}\":1}}").as_bytes());
        assert_eq!(found[0].name, format!("{}...", "x".repeat(40)));
        let many: Vec<String> = (0..5_000)
            .map(|number| format!("\"f{number}\":1"))
            .collect();
        let found = unknown_names(format!("{{{}}}", many.join(",")).as_bytes());
        assert_eq!(found.len(), NAMES_MAX);
    }
}
