//! Label selectors, as Kubernetes has them.

use crate::api::common::{LabelOperator, LabelSelector};
use crate::names::Tags;

/// Whether labels match a selector. `NotIn` and `DoesNotExist` match where the label is not there, as in Kubernetes
/// (`apimachinery/pkg/labels`); an empty selector matches everything.
pub(super) fn matches(selector: &LabelSelector, labels: &Tags) -> bool {
    selector.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value.as_str()))
        && selector.match_expressions.iter().all(|expression| {
            let found = labels.get(&expression.key);
            let among = |found: &str| expression.values.iter().any(|value| value == found);
            match expression.operator {
                LabelOperator::In => found.is_some_and(among),
                LabelOperator::NotIn => !found.is_some_and(among),
                LabelOperator::Exists => found.is_some(),
                LabelOperator::DoesNotExist => found.is_none(),
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_match_as_in_kubernetes() {
        let labels = Tags::from([("stage".to_owned(), "prod".to_owned())]);
        let case = |json: serde_json::Value| matches(&serde_json::from_value(json).unwrap(), &labels);
        let one = |operator: &str, key: &str, values: &[&str]| {
            case(serde_json::json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]}))
        };
        assert!(case(serde_json::json!({})));
        assert!(case(serde_json::json!({"matchLabels": {"stage": "prod"}})));
        assert!(!case(serde_json::json!({"matchLabels": {"stage": "prod", "x": "y"}})));
        assert!(one("In", "stage", &["prod", "dev"]) && !one("In", "stage", &["dev"]) && !one("In", "other", &["a"]));
        assert!(one("NotIn", "stage", &["dev"]) && !one("NotIn", "stage", &["prod"]) && one("NotIn", "other", &["a"]));
        assert!(one("Exists", "stage", &[]) && !one("Exists", "other", &[]));
        assert!(one("DoesNotExist", "other", &[]) && !one("DoesNotExist", "stage", &[]));
    }
}
