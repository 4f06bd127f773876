//! What the SHOW commands show, as procedures of a query: the node's workspaces and branches, and what
//! its Cypher offers.

use std::sync::{Arc, RwLock, Weak};

use super::{EngineError, Hosted, Request};
use crate::execute::schema_rule::{EntityKind, RuleKind, SchemaRule};
use crate::execute::{Context, ExecuteError, Procedure, Procedures};
use crate::language::cypher::show::{self, Table};
use crate::language::cypher::{BUILT_IN, BuiltIn, FUNCTIONS, signature_text};
use crate::model::{Map, NamedNode, Value};

/// The workspaces of a node, as each of them sees the others.
pub(super) type Siblings = RwLock<Vec<Arc<Hosted>>>;

/// The database that many tools ask for unless told otherwise; it is the default one.
pub const USUAL_DATABASE: &str = "neo4j";

/// A row of a table, by column; what is not there is null.
type Row = Map;

/// Adds the procedures behind SHOW to those that a query may call.
pub(super) fn register(procedures: &mut Procedures, siblings: &Weak<Siblings>, request: &Request) {
    let mut add = |name: &str, source: Source| {
        procedures.register(name, Arc::new(Shown { table: Table::of(name), source }));
    };
    let databases = || Databases {
        siblings: siblings.clone(),
        address: request.served_at.clone(),
        may_write: request.may_write,
    };
    add(show::DATABASES, Source::Databases(databases()));
    add(show::DEFAULT_DATABASE, Source::DefaultDatabase(databases()));
    add(show::INDEXES, Source::Indexes);
    add(show::CONSTRAINTS, Source::Constraints);
    add(show::PROCEDURES, Source::Procedures);
    add(show::FUNCTIONS, Source::Functions);
    add(show::CURRENT_USER, Source::CurrentUser(request.user.clone()));
}

struct Shown {
    table: &'static Table,
    source: Source,
}

enum Source {
    Databases(Databases),
    DefaultDatabase(Databases),
    Indexes,
    Constraints,
    Procedures,
    Functions,
    /// `None`: clients need not say who they are.
    CurrentUser(Option<String>),
}

impl Procedure for Shown {
    fn fields(&self) -> Vec<String> {
        self.table.columns().map(str::to_owned).collect()
    }

    fn call(&self, arguments: &[Value], context: &Context) -> Result<Vec<Vec<Value>>, ExecuteError> {
        let wanted = arguments.first().unwrap_or(&Value::Null);
        let rows = match &self.source {
            Source::Databases(databases) => databases.rows(wanted)?,
            Source::DefaultDatabase(databases) => {
                let mut rows = databases.rows(&Value::Null)?;
                rows.retain(|row| row.get("default") == Some(&Value::Boolean(true)));
                rows.iter_mut()
                    .for_each(|row| row.retain(|column, _| column != "default" && column != "home"));
                rows
            }
            Source::Indexes => indexes(wanted, context)?,
            Source::Constraints => constraints(wanted, context)?,
            Source::Procedures => BUILT_IN.iter().map(procedure).collect(),
            Source::Functions => match wanted {
                Value::String(origin) if origin == "user defined" => Vec::new(),
                _ => FUNCTIONS.iter().map(function).collect(),
            },
            Source::CurrentUser(user) => user.iter().map(|user| current_user(user)).collect(),
        };
        let cells = |mut row: Row| {
            let cells = self.table.columns().map(|column| row.remove(column).unwrap_or(Value::Null));
            let cells: Vec<Value> = cells.collect();
            debug_assert!(row.is_empty(), "{} has no such columns: {row:?}", self.table.name);
            cells
        };
        Ok(rows.into_iter().map(cells).collect())
    }
}

/// The names under which Bolt finds workspaces and branches.
struct Databases {
    siblings: Weak<Siblings>,
    address: Option<String>,
    may_write: bool,
}

impl Databases {
    /// Returns the databases, or the one that has this name or alias.
    fn rows(&self, wanted: &Value) -> Result<Vec<Row>, ExecuteError> {
        let Some(siblings) = self.siblings.upgrade() else { return Ok(Vec::new()) };
        let hosted = siblings.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let mut rows = self.all(&hosted).map_err(|error| ExecuteError::Unsupported(error.to_string()))?;
        match wanted {
            Value::Null => {}
            wanted => rows.retain(|row| {
                let is_alias =
                    matches!(row.get("aliases"), Some(Value::List(aliases)) if aliases.contains(wanted));
                row.get("name") == Some(wanted) || is_alias
            }),
        }
        Ok(rows)
    }

    fn all(&self, hosted: &[Arc<Hosted>]) -> Result<Vec<Row>, EngineError> {
        let mut rows = Vec::new();
        for (place, workspace) in hosted.iter().enumerate() {
            let name = workspace.name();
            let branches = workspace.branches()?;
            // Of a name, a workspace comes before a branch of the default one.
            let is_free = |name: &str| {
                !hosted.iter().any(|other| other.name() == name) && hosted[0].resolve(Some(name)).is_err()
            };
            for branch in branches {
                let by_ref = format!("{name}@{}", branch.name);
                let is_default = branch.is_default && place == 0;
                let (database, mut aliases) = match branch.is_default {
                    true => (name.to_owned(), vec![by_ref]),
                    false => (by_ref, Vec::new()),
                };
                if is_default && is_free(USUAL_DATABASE) {
                    aliases.push(USUAL_DATABASE.to_owned());
                }
                if place == 0 && !hosted.iter().any(|other| other.name() == branch.name) {
                    aliases.push(branch.name);
                }
                rows.push(self.row(database, aliases, is_default));
            }
        }
        Ok(rows)
    }

    fn row(&self, name: String, aliases: Vec<String>, is_default: bool) -> Row {
        let access = if self.may_write { "read-write" } else { "read-only" };
        row([
            ("name", Value::String(name)),
            ("type", text("standard")),
            ("aliases", texts(aliases)),
            ("access", text(access)),
            ("address", self.address.as_deref().map_or(Value::Null, text)),
            ("role", text("primary")),
            ("writer", Value::Boolean(self.may_write)),
            ("requestedStatus", text("online")),
            ("currentStatus", text("online")),
            ("statusMessage", text("")),
            ("default", Value::Boolean(is_default)),
            ("home", Value::Boolean(is_default)),
            ("currentPrimariesCount", Value::Integer(1)),
            ("currentSecondariesCount", Value::Integer(0)),
            ("constituents", Value::List(Vec::new())),
            ("options", Value::Map(Map::new())),
        ])
    }
}

/// Every label, type and property is indexed, by the permutations that quads are stored in: that is what the two
/// LOOKUP indexes stand for. Others are listed where somebody asked for them, and for constraints.
fn indexes(wanted: &Value, context: &Context) -> Result<Vec<Row>, ExecuteError> {
    let lookup = |name: &str, entity: &str, statement: &str| {
        let mut row = index_row(name, "LOOKUP", entity, true);
        row.insert("createStatement".to_owned(), text(statement));
        row
    };
    let mut rows = vec![
        lookup("labels", "NODE", "CREATE LOOKUP INDEX `labels` FOR (n) ON EACH labels(n)"),
        lookup("types", "RELATIONSHIP", "CREATE LOOKUP INDEX `types` FOR ()-[r]-() ON EACH type(r)"),
    ];
    for rule in SchemaRule::all(&*context.dataset)? {
        let (kind, is_built, owner) = match rule.kind {
            RuleKind::Index(kind) => (kind.name(), kind.is_built_in(), Value::Null),
            RuleKind::Uniqueness | RuleKind::Key => ("RANGE", true, text(&rule.name)),
            RuleKind::Existence => continue,
        };
        let mut row = index_row(&rule.name, kind, rule.entity.name(), is_built);
        row.extend(row_of_rule(&rule, context));
        row.insert("owningConstraint".to_owned(), owner);
        rows.push(row);
    }
    for (id, row) in (1..).zip(&mut rows) {
        row.insert("id".to_owned(), Value::Integer(id));
    }
    if let Value::String(_) = wanted {
        rows.retain(|row| row.get("type") == Some(wanted));
    }
    Ok(rows)
}

fn index_row(name: &str, kind: &str, entity: &str, is_built: bool) -> Row {
    let failure = if is_built { "" } else { "it is not built: no procedure and no clause asks it yet" };
    let provider = match kind {
        "LOOKUP" => "token-lookup-1.0",
        "RANGE" => "range-1.0",
        "TEXT" => "text-2.0",
        "POINT" => "point-1.0",
        "FULLTEXT" => "fulltext-1.0",
        _ => "vector-2.0",
    };
    row([
        ("name", text(name)),
        ("state", text(if is_built { "ONLINE" } else { "FAILED" })),
        ("populationPercent", Value::Float(if is_built { 100.0 } else { 0.0 })),
        ("type", text(kind)),
        ("entityType", text(entity)),
        ("indexProvider", text(provider)),
        ("options", Value::Map(Map::new())),
        ("failureMessage", text(failure)),
    ])
}

/// Returns what constraints and indexes are listed with alike.
fn row_of_rule(rule: &SchemaRule, context: &Context) -> Row {
    let name = |iri: &NamedNode| context.vocabulary.name(iri.as_str());
    let names = |iris: &[NamedNode]| iris.iter().map(name).collect::<Vec<_>>();
    let (labels, keys) = (names(&rule.labels), names(&rule.properties));
    row([
        ("labelsOrTypes", if labels.is_empty() { Value::Null } else { texts(labels.clone()) }),
        ("properties", if keys.is_empty() { Value::Null } else { texts(keys.clone()) }),
        ("createStatement", Value::String(create_statement(rule, &labels, &keys))),
    ])
}

/// Returns the command that makes a rule.
fn create_statement(rule: &SchemaRule, labels: &[String], keys: &[String]) -> String {
    let quote = |name: &String| format!("`{}`", name.replace('`', "``"));
    let labels = labels.iter().map(quote).collect::<Vec<_>>().join("|");
    let colon = if labels.is_empty() { "" } else { ":" };
    let (owner, target) = match rule.entity {
        EntityKind::Relationship => ("r", format!("()-[r{colon}{labels}]-()")),
        EntityKind::Node => ("n", format!("(n{colon}{labels})")),
    };
    let keys = keys.iter().map(|key| format!("{owner}.{}", quote(key))).collect::<Vec<_>>().join(", ");
    let name = quote(&rule.name);
    let require = |what: &str| format!("CREATE CONSTRAINT {name} FOR {target} REQUIRE ({keys}) IS {what}");
    match rule.kind {
        RuleKind::Uniqueness => require("UNIQUE"),
        RuleKind::Key => require(&format!("{} KEY", rule.entity.name())),
        RuleKind::Existence => require("NOT NULL"),
        RuleKind::Index(kind) => {
            let kind = kind.name();
            let on = match (kind, owner) {
                ("LOOKUP", "r") => "EACH type(r)".to_owned(),
                ("LOOKUP", _) => "EACH labels(n)".to_owned(),
                ("FULLTEXT", _) => format!("EACH [{keys}]"),
                _ => format!("({keys})"),
            };
            format!("CREATE {kind} INDEX {name} FOR {target} ON {on}")
        }
    }
}

/// Returns the constraints whose types are among those that are wanted.
fn constraints(wanted: &Value, context: &Context) -> Result<Vec<Row>, ExecuteError> {
    let mut rows = Vec::new();
    for (id, rule) in (1..).zip(SchemaRule::all(&*context.dataset)?) {
        let kind = text(rule.kind.name(rule.entity));
        let is_wanted =
            matches!(wanted, Value::List(kinds) if kinds.contains(&kind)) || *wanted == Value::Null;
        if !rule.kind.is_constraint() || !is_wanted {
            continue;
        }
        let owned = matches!(rule.kind, RuleKind::Uniqueness | RuleKind::Key);
        let mut own = row([
            ("id", Value::Integer(id)),
            ("name", text(&rule.name)),
            ("type", kind),
            ("entityType", text(rule.entity.name())),
            ("ownedIndex", if owned { text(&rule.name) } else { Value::Null }),
            ("options", Value::Map(Map::new())),
        ]);
        own.extend(row_of_rule(&rule, context));
        rows.push(own);
    }
    Ok(rows)
}

fn procedure(procedure: &BuiltIn) -> Row {
    let arguments = procedure.arguments().map(|(name, kind, is_optional)| {
        let mut entries = described(name, kind);
        if is_optional {
            entries.insert("default".to_owned(), text("DefaultParameterValue{value=null, type=ANY}"));
        }
        Value::Map(entries)
    });
    let results = procedure.results().map(|(name, kind)| Value::Map(described(name, kind)));
    row([
        ("name", text(procedure.name)),
        ("description", text(procedure.description)),
        ("mode", text(if procedure.writes { "WRITE" } else { "READ" })),
        ("worksOnSystem", Value::Boolean(procedure.name.starts_with("dbms."))),
        ("signature", Value::String(procedure.text())),
        ("argumentDescription", Value::List(arguments.collect())),
        ("returnDescription", Value::List(results.collect())),
        ("admin", Value::Boolean(false)),
        ("isDeprecated", Value::Boolean(false)),
        ("option", Value::Map(Map::from([("deprecated".to_owned(), Value::Boolean(false))]))),
    ])
}

fn described(name: &str, kind: &str) -> Map {
    let entries = [
        ("name", text(name)),
        ("description", Value::String(format!("{name} :: {kind}"))),
        ("type", text(kind)),
        ("isDeprecated", Value::Boolean(false)),
    ];
    row(entries)
}

fn function((name, category, description): &(&str, &str, &str)) -> Row {
    let signature = signature_text(name);
    let result = signature.rsplit_once(" :: ").map_or("ANY", |(_, kind)| kind).to_owned();
    row([
        ("name", text(name)),
        ("category", text(category)),
        ("description", text(description)),
        ("signature", Value::String(signature)),
        ("isBuiltIn", Value::Boolean(true)),
        ("argumentDescription", Value::List(Vec::new())),
        ("returnDescription", Value::String(result)),
        ("aggregating", Value::Boolean(*category == "Aggregating")),
        ("isDeprecated", Value::Boolean(false)),
    ])
}

fn current_user(user: &str) -> Row {
    row([("user", text(user))])
}

fn row<const N: usize>(entries: [(&str, Value); N]) -> Row {
    entries.into_iter().map(|(column, value)| (column.to_owned(), value)).collect()
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn texts(texts: Vec<String>) -> Value {
    Value::List(texts.into_iter().map(Value::String).collect())
}
