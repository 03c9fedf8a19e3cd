//! Where iam-simulate is known to decide otherwise, each with the fact of AWS that settles it.
//!
//! An entry is a way to read: it turns a case into one in which iam-simulate's reading is spelled out. A disagreement is
//! settled by an entry only if bylaw decides the case so spelled as iam-simulate decided the original.

use serde_json::{Map, Value, json};

/// One known difference.
pub struct Known {
    pub name: &'static str,
    /// What AWS says.
    pub fact: &'static str,
    /// The page of the IAM user guide that says it.
    pub page: &'static str,
    reads: fn(&mut Value),
}

impl Known {
    /// The case as iam-simulate reads it; `None` where that is no other.
    pub fn read(&self, case: &Value) -> Option<Value> {
        let mut read = case.clone();
        (self.reads)(&mut read);
        (read != *case).then_some(read)
    }
}

pub const KNOWN: &[Known] = &[
    Known {
        name: "variables of version 2008-10-17",
        fact: "only in version 2012-10-17 is `${...}` a variable; before it is text",
        page: "reference_policies_variables",
        reads: |case| {
            each_policy(case, |_, policy| policy["Version"] = json!("2012-10-17"));
        },
    },
    Known {
        name: "incomplete ARNs",
        fact: "in an identity-based policy an ARN of fewer than six fields is completed by wildcards; bylaw reads SCPs \
               alike; iam-simulate never applies a statement with one in NotResource, nor one of an SCP without a star",
        page: "reference_identifiers",
        reads: |case| {
            each_statement(case, |layer, statement| {
                let short = |text: &str| text != "*" && text.split(':').count() < 6;
                if strings(&statement["NotResource"]).iter().any(|text| short(text)) {
                    never(statement);
                }
                if layer == "serviceControlPolicies" {
                    change(statement, &["Resource"], |text| {
                        (short(text) && !text.ends_with('*')).then(|| NOTHING.to_owned())
                    });
                }
            });
        },
    },
    Known {
        name: "wildcards in the type of a resource",
        fact: "AWS says not to do that, and not what it does; bylaw reads it as any other wildcard, so that no deny is \
               lost, iam-simulate letter by letter",
        page: "reference-arns",
        reads: |case| {
            each_statement(case, |_, statement| {
                change(statement, &["Resource", "NotResource"], |text| {
                    let parts: Vec<&str> = text.splitn(6, ':').collect();
                    let [_, _, service, region, account, name] = parts[..] else { return None };
                    let end = name.find(['/', ':'])?;
                    let bucket = service == "s3" && region.is_empty() && account.is_empty();
                    (!bucket && name[..end].contains(['*', '?', '$'])).then(|| NOTHING.to_owned())
                });
            });
        },
    },
    Known {
        name: "negations with a variable that has no value",
        fact: "inverted operators match a variable without a value, since nothing is equal to or like it",
        page: "reference_policies_variables",
        reads: |case| {
            each_clause(case, |clause| {
                let test = clause.test();
                !((test.starts_with("StringNot") || test.starts_with("ArnNot")) && clause.told.is_some())
                    || !clause.values.iter().any(|value| lacks_value(value, clause.facts))
            });
        },
    },
    Known {
        name: "variables that have no value in NotResource",
        fact: "in Resource and NotResource such a pattern matches no resource, so that NotResource speaks of all",
        page: "reference_policies_variables",
        reads: |case| {
            let facts = case["request"]["contextVariables"].as_object().unwrap().clone();
            each_statement(case, |_, statement| {
                if strings(&statement["NotResource"]).iter().any(|text| lacks_value(text, &facts)) {
                    never(statement);
                }
            });
        },
    },
    Known {
        name: "0.0.0.0/0",
        fact: "values are networks in the standard CIDR format, in which that one holds every address",
        page: "reference_policies_elements_condition_operators",
        reads: |case| {
            each_clause(case, |clause| {
                for value in &mut clause.values {
                    if value == "0.0.0.0/0" {
                        *value = "0.0.0.0/32".to_owned();
                    }
                }
                true
            });
        },
    },
    Known {
        name: "variables in the fields of an ARN condition",
        fact: "policy variables may be used with the ARN operators; iam-simulate cuts the value at the variable's own colon",
        page: "reference_policies_elements_condition_operators",
        reads: |case| {
            each_clause(case, |clause| {
                if clause.test().starts_with("Arn") {
                    for value in &mut clause.values {
                        if value.split(':').take(5).any(|part| part.contains("${")) {
                            *value = value.replace("${", "$.{");
                        }
                    }
                }
                true
            });
        },
    },
    Known {
        name: "keys of many values without a set operator",
        fact: "such keys require a set operator, and AWS does not say what happens without; bylaw compares each value, \
               iam-simulate none",
        page: "reference_policies_condition-single-vs-multi-valued-context-keys",
        reads: |case| {
            each_clause(case, |clause| {
                clause.test() == "Null"
                    || clause.operator.contains(':')
                    || !matches!(clause.told, Some(Value::Array(_)))
            });
        },
    },
    Known {
        name: "IfExists beside ForAnyValue",
        fact: "`IfExists` goes with any operator but Null, and makes a condition true whose key is absent",
        page: "reference_policies_elements_condition_operators",
        reads: |case| {
            each_clause(case, |clause| {
                !(clause.operator.starts_with("ForAnyValue:") && clause.operator.ends_with("IfExists"))
                    || clause.told.is_some()
            });
        },
    },
    Known {
        name: "negations of what cannot be read",
        fact: "`NotEquals`, `NotLike` and `NotIpAddress` negate the match; a value of another type matches nothing",
        page: "reference_policies_elements_condition_operators",
        reads: |case| {
            each_clause(case, |clause| {
                let readable: fn(&str) -> bool = match clause.test() {
                    "NumericNotEquals" => |text| text.parse::<f64>().is_ok(),
                    "DateNotEquals" => |text| text.starts_with("20"),
                    "NotIpAddress" => {
                        |text| text.split('/').next().is_some_and(|ip| ip.parse::<std::net::IpAddr>().is_ok())
                    }
                    "ArnNotEquals" | "ArnNotLike" => |text| text.split(':').count() >= 6,
                    _ => return true,
                };
                let told = match clause.told {
                    None => return true,
                    Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
                    Some(value) => vec![value.as_str().unwrap()],
                };
                // Of several told values one that can be read may hold.
                let any = clause.operator.starts_with("ForAnyValue:");
                let good = told.iter().filter(|text| readable(text)).count();
                let told = if any { good > 0 } else { good == told.len() };
                told && clause.values.iter().all(|text| readable(text))
            });
        },
    },
    Known {
        name: "an IPv4 address is no IPv6 address",
        fact: "`NotIpAddress` takes all addresses except those specified",
        page: "reference_policies_elements_condition_operators",
        reads: |case| {
            each_clause(case, |clause| {
                let single = |text: &str| !text.contains('/');
                let told = clause.told.and_then(Value::as_str).unwrap_or_default();
                clause.test() != "NotIpAddress"
                    || told.is_empty()
                    || !clause.values.iter().any(|text| single(text) && text.contains(':') != told.contains(':'))
            });
        },
    },
    Known {
        name: "a session that a resource names, under a session policy",
        fact: "what is granted to a session's own ARN is not limited by an implicit deny of a session policy",
        page: "reference_policies_evaluation-logic_policy-eval-denyallow",
        reads: |case| {
            if case.get("sessionPolicy").is_none()
                || case["request"]["resource"]["accountId"] != super::requests::ACCOUNTS[0]
            {
                return;
            }
            each_statement(case, |layer, statement| {
                if layer == "resourcePolicy" && statement["Effect"] == "Allow" {
                    change_principals(statement, |text| {
                        let role = text.replace(":sts:", ":iam:").replace("assumed-role/", "role/").replace("/s1", "");
                        role.replace("federated-user/", "user/")
                    });
                }
            });
        },
    },
    Known {
        name: "everyone, where a boundary or session policy does not allow",
        fact: "only what is granted to the ARN of the user or session itself is not limited by an implicit deny",
        page: "reference_policies_evaluation-logic_policy-eval-denyallow",
        reads: |case| {
            let Some(mut caller) = case["request"]["principal"].as_str().map(str::to_owned) else { return };
            if case.get("permissionBoundaryPolicies").is_none() {
                return;
            }
            if caller.contains(":role/") {
                // A role asks by a session.
                caller = caller.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/s0";
                case["request"]["principal"] = json!(caller);
            }
            each_statement(case, |layer, statement| {
                let principal = &statement["Principal"];
                let everyone = *principal == "*" || principal["AWS"] == "*";
                if layer == "resourcePolicy" && statement["Effect"] == "Allow" && everyone && caller.starts_with("arn:")
                {
                    statement["Principal"] = json!({"AWS": caller});
                }
            });
        },
    },
];

/// A resource that nobody asks for.
const NOTHING: &str = "arn:aws:none:::none";

/// Makes a statement one that never applies.
fn never(statement: &mut Value) {
    let members = statement.as_object_mut().unwrap();
    members.remove("NotAction");
    members.insert("Action".to_owned(), json!("none:None"));
}

/// Calls `look` with each policy and the member of the simulation that it stands in.
fn each_policy(case: &mut Value, mut look: impl FnMut(&str, &mut Value)) {
    for layer in ["identityPolicies", "permissionBoundaryPolicies"] {
        for named in case.get_mut(layer).and_then(Value::as_array_mut).into_iter().flatten() {
            look(layer, &mut named["policy"]);
        }
    }
    for layer in ["serviceControlPolicies", "resourceControlPolicies"] {
        for node in case.get_mut(layer).and_then(Value::as_array_mut).into_iter().flatten() {
            for named in node["policies"].as_array_mut().unwrap() {
                look(layer, &mut named["policy"]);
            }
        }
    }
    for layer in ["sessionPolicy", "resourcePolicy"] {
        if let Some(policy) = case.get_mut(layer) {
            look(layer, policy);
        }
    }
}

fn each_statement(case: &mut Value, mut look: impl FnMut(&str, &mut Value)) {
    each_policy(case, |layer, policy| {
        for statement in policy["Statement"].as_array_mut().unwrap() {
            look(layer, statement);
        }
    });
}

struct Clause<'a> {
    operator: &'a str,
    values: Vec<String>,
    /// What the request tells of the key.
    told: Option<&'a Value>,
    facts: &'a Map<String, Value>,
}

impl Clause<'_> {
    /// The operator's name without what stands before and after it.
    fn test(&self) -> &str {
        let name = self.operator.rsplit(':').next().unwrap();
        name.strip_suffix("IfExists").unwrap_or(name)
    }
}

/// Lets `read` change the values of each clause; where it says `false`, the clause never holds.
fn each_clause(case: &mut Value, read: impl Fn(&mut Clause<'_>) -> bool) {
    let facts: Map<String, Value> = case["request"]["contextVariables"].as_object().unwrap().clone();
    each_statement(case, |_, statement| {
        let mut holds = true;
        for (operator, keys) in statement.get_mut("Condition").and_then(Value::as_object_mut).into_iter().flatten() {
            for (key, values) in keys.as_object_mut().unwrap() {
                let told = told(&facts, key);
                let before = strings(values);
                let mut clause = Clause { operator, values: before.clone(), told, facts: &facts };
                holds &= read(&mut clause);
                if clause.values != before {
                    *values = json!(clause.values);
                }
            }
        }
        if !holds {
            never(statement);
        }
    });
}

fn told<'a>(facts: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    facts.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
}

/// Whether a text has a variable without a default that the request has no single value for.
fn lacks_value(text: &str, facts: &Map<String, Value>) -> bool {
    text.split("${").skip(1).filter_map(|rest| rest.split_once('}')).any(|(inside, _)| {
        !inside.contains(',')
            && !matches!(inside, "*" | "?" | "$")
            && !told(facts, inside).is_some_and(Value::is_string)
    })
}

/// One string or a list of them.
fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().map(|item| item.as_str().unwrap().to_owned()).collect(),
        _ => vec![],
    }
}

fn change(statement: &mut Value, elements: &[&str], change: impl Fn(&str) -> Option<String>) {
    for element in elements {
        if let Some(value) = statement.get_mut(*element) {
            let before = strings(value);
            let after: Vec<String> = before.iter().map(|text| change(text).unwrap_or_else(|| text.clone())).collect();
            if after != before {
                *value = json!(after);
            }
        }
    }
}

fn change_principals(statement: &mut Value, change: impl Fn(&str) -> String) {
    if let Some(value) = statement.get_mut("Principal").and_then(|principal| principal.get_mut("AWS")) {
        let before = strings(value);
        let after: Vec<String> = before.iter().map(|text| change(text)).collect();
        if after != before {
            *value = json!(after);
        }
    }
}
