//! What the SHOW commands show. Each is a procedure under a name that no CALL is written with; the
//! parser makes the rest of the command from the clauses that CALL has (`parser/show.rs`).

use super::procedure::{ProcedureSignature, ProcedureType};

/// The table behind a SHOW command.
pub struct Table {
    /// The procedure's name.
    pub name: &'static str,
    /// In order; whether the column is there without YIELD.
    columns: &'static [(&'static str, bool)],
    /// What narrows the table, such as a database's name; all of it, if null.
    argument: Option<&'static str>,
}

pub const DATABASES: &str = "SHOW DATABASES";
pub const DEFAULT_DATABASE: &str = "SHOW DEFAULT DATABASE";
pub const INDEXES: &str = "SHOW INDEXES";
pub const CONSTRAINTS: &str = "SHOW CONSTRAINTS";
pub const PROCEDURES: &str = "SHOW PROCEDURES";
pub const FUNCTIONS: &str = "SHOW FUNCTIONS";
pub const CURRENT_USER: &str = "SHOW CURRENT USER";

/// # Source
/// The Neo4j Cypher manual, version 5: the tables of each command.
pub const TABLES: &[Table] = &[
    Table {
        name: DATABASES,
        columns: &[
            ("name", true),
            ("type", true),
            ("aliases", true),
            ("access", true),
            ("databaseID", false),
            ("serverID", false),
            ("address", true),
            ("role", true),
            ("writer", true),
            ("requestedStatus", true),
            ("currentStatus", true),
            ("statusMessage", true),
            ("default", true),
            ("home", true),
            ("currentPrimariesCount", false),
            ("currentSecondariesCount", false),
            ("requestedPrimariesCount", false),
            ("requestedSecondariesCount", false),
            ("creationTime", false),
            ("lastStartTime", false),
            ("lastStopTime", false),
            ("store", false),
            ("lastCommittedTxn", false),
            ("replicationLag", false),
            ("constituents", true),
            ("options", false),
        ],
        argument: Some("name"),
    },
    Table {
        name: DEFAULT_DATABASE,
        columns: &[
            ("name", true),
            ("type", true),
            ("aliases", true),
            ("access", true),
            ("databaseID", false),
            ("serverID", false),
            ("address", true),
            ("role", true),
            ("writer", true),
            ("requestedStatus", true),
            ("currentStatus", true),
            ("statusMessage", true),
            ("currentPrimariesCount", false),
            ("currentSecondariesCount", false),
            ("requestedPrimariesCount", false),
            ("requestedSecondariesCount", false),
            ("creationTime", false),
            ("lastStartTime", false),
            ("lastStopTime", false),
            ("store", false),
            ("lastCommittedTxn", false),
            ("replicationLag", false),
            ("constituents", true),
            ("options", false),
        ],
        argument: None,
    },
    Table {
        name: INDEXES,
        columns: &[
            ("id", true),
            ("name", true),
            ("state", true),
            ("populationPercent", true),
            ("type", true),
            ("entityType", true),
            ("labelsOrTypes", true),
            ("properties", true),
            ("indexProvider", true),
            ("owningConstraint", true),
            ("lastRead", true),
            ("readCount", true),
            ("trackedSince", false),
            ("options", false),
            ("failureMessage", false),
            ("createStatement", false),
        ],
        argument: Some("type"),
    },
    Table {
        name: CONSTRAINTS,
        columns: &[
            ("id", true),
            ("name", true),
            ("type", true),
            ("entityType", true),
            ("labelsOrTypes", true),
            ("properties", true),
            ("ownedIndex", true),
            ("propertyType", true),
            ("options", false),
            ("createStatement", false),
        ],
        argument: Some("types"),
    },
    Table {
        name: PROCEDURES,
        columns: &[
            ("name", true),
            ("description", true),
            ("mode", true),
            ("worksOnSystem", true),
            ("signature", false),
            ("argumentDescription", false),
            ("returnDescription", false),
            ("admin", false),
            ("rolesExecution", false),
            ("rolesBoostedExecution", false),
            ("isDeprecated", false),
            ("deprecatedBy", false),
            ("option", false),
        ],
        argument: None,
    },
    Table {
        name: FUNCTIONS,
        columns: &[
            ("name", true),
            ("category", true),
            ("description", true),
            ("signature", false),
            ("isBuiltIn", false),
            ("argumentDescription", false),
            ("returnDescription", false),
            ("aggregating", false),
            ("rolesExecution", false),
            ("rolesBoostedExecution", false),
            ("isDeprecated", false),
            ("deprecatedBy", false),
        ],
        argument: Some("origin"),
    },
    Table {
        name: CURRENT_USER,
        columns: &[
            ("user", true),
            ("roles", true),
            ("passwordChangeRequired", true),
            ("suspended", true),
            ("home", true),
        ],
        argument: None,
    },
];

impl Table {
    /// Returns the table of a name.
    ///
    /// # Panics
    /// If there is none; the names are this file's constants.
    pub fn of(name: &str) -> &'static Table {
        TABLES.iter().find(|table| table.name == name).expect("each name has its table")
    }

    pub fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().map(|(column, _)| *column)
    }

    /// Returns the columns that are there without YIELD.
    pub fn usual_columns(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().filter(|(_, is_usual)| *is_usual).map(|(column, _)| *column)
    }

    pub(super) fn signature(&self) -> ProcedureSignature {
        ProcedureSignature {
            arguments: self.argument.iter().map(|name| ((*name).to_owned(), ProcedureType::Any)).collect(),
            optional: usize::from(self.argument.is_some()),
            results: self.columns().map(str::to_owned).collect(),
            writes: false,
        }
    }
}
