//! A statement with its values, for either database.

use std::borrow::Cow;

use sqlx::{AssertSqlSafe, Database, Encode, Type};

use crate::catalog::sql;

/// A value bound to a statement. What is absent has a type nevertheless: PostgreSQL asks for it.
#[derive(Clone, Debug)]
pub(in crate::catalog) enum Value<'q> {
    Int(Option<i64>),
    Bool(bool),
    Text(Option<Cow<'q, str>>),
}

/// A statement with its values.
#[derive(Clone, Debug)]
pub(in crate::catalog) struct Query<'q> {
    text: &'static str,
    /// For how many rows it is repeated.
    rows: Option<usize>,
    values: Vec<Value<'q>>,
    /// Whether it is kept prepared.
    kept: bool,
    /// Whether it may take long.
    pub(super) slow: bool,
}

impl<'q> Query<'q> {
    /// A statement.
    pub(in crate::catalog) fn new(text: &'static str) -> Self {
        Self {
            text,
            rows: None,
            values: Vec::new(),
            kept: true,
            slow: false,
        }
    }

    /// A statement for `rows` rows, made from one for a single row; kept prepared if that is as many as it `takes`.
    pub(in crate::catalog) fn rows(text: &'static str, rows: usize, takes: usize) -> Self {
        Self {
            rows: Some(rows),
            kept: rows == takes,
            ..Self::new(text)
        }
    }

    /// Adds a value.
    pub(in crate::catalog) fn bind(mut self, value: impl Into<Value<'q>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// The statement may read or write very many rows: a server is given long for it.
    pub(in crate::catalog) fn slow(mut self) -> Self {
        self.slow = true;
        self
    }

    /// The statement as `sqlx` runs it. Text has no NUL where the database `knows_nul` not: it is replaced, in what is
    /// stored and in what is looked for alike.
    pub(super) fn built<DB>(&self, knows_nul: bool) -> sqlx::query::Query<'_, DB, DB::Arguments>
    where
        DB: Database + sqlx::database::HasStatementCache,
        Option<i64>: for<'t> Encode<'t, DB> + Type<DB>,
        bool: for<'t> Encode<'t, DB> + Type<DB>,
        Option<String>: for<'t> Encode<'t, DB> + Type<DB>,
        for<'t> Option<&'t str>: Encode<'t, DB> + Type<DB>,
    {
        let query = match self.rows {
            None => sqlx::query(self.text),
            // SQLite looks up each name of a placeholder among all the others, and knows places without names.
            Some(rows) if knows_nul => sqlx::query(AssertSqlSafe(sql::for_rows_in_order(self.text, rows))),
            Some(rows) => sqlx::query(AssertSqlSafe(sql::for_rows(self.text, rows))),
        };
        let query = query.persistent(self.kept);
        self.values.iter().fold(query, |query, value| match value {
            Value::Int(int) => query.bind(*int),
            Value::Bool(bool) => query.bind(*bool),
            Value::Text(Some(text)) if !knows_nul && text.contains('\0') => {
                query.bind(Some(text.replace('\0', "\u{fffd}")))
            }
            Value::Text(text) => query.bind(text.as_deref()),
        })
    }
}

impl From<i64> for Value<'_> {
    fn from(int: i64) -> Self {
        Self::Int(Some(int))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(int: Option<i64>) -> Self {
        Self::Int(int)
    }
}

impl From<bool> for Value<'_> {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

impl<'q> From<&'q str> for Value<'q> {
    fn from(text: &'q str) -> Self {
        Self::Text(Some(Cow::Borrowed(text)))
    }
}

impl<'q> From<&'q String> for Value<'q> {
    fn from(text: &'q String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Some(Cow::Owned(text)))
    }
}

impl<'q> From<Option<&'q str>> for Value<'q> {
    fn from(text: Option<&'q str>) -> Self {
        Self::Text(text.map(Cow::Borrowed))
    }
}

impl<'q> From<&'q Option<String>> for Value<'q> {
    fn from(text: &'q Option<String>) -> Self {
        Self::from(text.as_deref())
    }
}
