//! The dialect of each service that has one. What their presets say of them is not repeated here.

use super::{Dialect, Info, Matching, MetaFilter, Nulls, Posted, Removed, Rows};
use crate::sim::{errors::Errors, instant::Zone};

impl Dialect {
    /// That of the service of this preset, and the specification's for all others.
    pub(in crate::sim) fn of(preset: &str) -> Self {
        match preset {
            "4everland" => EVERLAND,
            "fula" => FULA,
            "nft.storage" => NFT_STORAGE,
            "web3.storage" => WEB3_STORAGE,
            "estuary" => ESTUARY,
            "pinata" => PINATA,
            "filebase" => FILEBASE,
            "crust" => CRUST,
            "ipfs-cluster" => CLUSTER,
            "helia" => HELIA,
            _ => SPEC,
        }
    }
}

pub(super) const SPEC: Dialect = Dialect {
    errors: Errors::Spec,
    removed: Removed::Empty,
    removes_unknown: false,
    info: Info::Details,
    nulls: Nulls::Nowhere,
    camel_case_ids: false,
    posted: Posted::Stored,
    zone: Zone::Letter,
    rows: Rows::True,
    matching: Matching::Ignored,
    meta_filter: MetaFilter::Filters,
    cid_filter_alone: false,
    any_status: false,
    loose_meta: false,
    repins_stick: false,
    backends: 0,
    rows_at_most: 0,
};

const EVERLAND: Dialect = Dialect {
    errors: Errors::Everland,
    removed: Removed::Object,
    info: Info::Everland,
    matching: Matching::PartialFindsNothing,
    ..SPEC
};

const FULA: Dialect = Dialect {
    errors: Errors::Fula,
    removed: Removed::EmptyJson,
    info: Info::Fula,
    nulls: Nulls::Lists,
    posted: Posted::Later,
    rows: Rows::Recorded,
    matching: Matching::AlwaysIgnored,
    meta_filter: MetaFilter::AfterLimit,
    ..SPEC
};

const NFT_STORAGE: Dialect = Dialect { errors: Errors::NftStorage, loose_meta: true, ..SPEC };

const WEB3_STORAGE: Dialect =
    Dialect { errors: Errors::Web3Storage, removed: Removed::Object, zone: Zone::Number, ..SPEC };

const ESTUARY: Dialect =
    Dialect { errors: Errors::Estuary, nulls: Nulls::All, posted: Posted::Nanos, ..SPEC };

const PINATA: Dialect =
    Dialect { errors: Errors::Pinata, removed: Removed::Ok, info: Info::Pinata, backends: 6, ..SPEC };

const FILEBASE: Dialect = Dialect { errors: Errors::Filebase, info: Info::Filebase, ..SPEC };

const CRUST: Dialect = Dialect {
    errors: Errors::Crust,
    camel_case_ids: true,
    removes_unknown: true,
    matching: Matching::Exact,
    meta_filter: MetaFilter::Parameters,
    ..SPEC
};

const CLUSTER: Dialect =
    Dialect { errors: Errors::Cluster, cid_filter_alone: true, any_status: true, ..SPEC };

const HELIA: Dialect = Dialect { errors: Errors::Helia, repins_stick: true, ..SPEC };
