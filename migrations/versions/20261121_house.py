"""The house: reference data, regions in time, hubs, organisations, clients."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261121_house"
down_revision = None
branch_labels = None
depends_on = None

# Public data: every change of it raises the data version, which empties the caches of all processes.
PUBLIC = (
    "term", "scheme", "edition", "region", "region_period", "membership", "succession", "postcode",
    "organisation", "organisation_region",
    "hub", "hub_phase", "hub_host", "hub_steering", "hub_area", "hub_member",
)  # fmt: skip

# Who may write a row, besides the national coordination and the owner's own loader. Everybody may read these tables.
# A condition of None: the national coordination alone.
OWN_HUB = "{column} = (select nullif(current_setting('app.hub', true), '')::smallint)"
OWN_CLIENT = "client_id = (select nullif(current_setting('app.client', true), '')::uuid)"
NATIONAL = "(select current_setting('app.role', true) in ('national', 'system'))"
OWN_AREA = f"(select h.area_code from hub h where {OWN_HUB.format(column='h.id')})"
PARTS_OF_HUB = ("hub_phase", "hub_host", "hub_steering", "hub_area", "hub_member")
WRITERS = {
    **{table: OWN_HUB.format(column="hub_id") for table in PARTS_OF_HUB},
    "hub": OWN_HUB.format(column="id"),
    "organisation": OWN_HUB.format(column="created_by_hub"),
    "organisation_region": (
        f"organisation_id in (select o.id from organisation o where {OWN_HUB.format(column='o.created_by_hub')})"
    ),
    # A hub that changes its area writes the membership of that one region.
    "region": f"code in {OWN_AREA}",
    "region_period": f"region_id in (select r.id from region r where r.code in {OWN_AREA})",
    "membership": f"region_id in (select r.id from region r where r.code in {OWN_AREA})",
}
# Adding a hub is not the hub's own affair; hubs, organisations and regions are never removed by the service.
NATIONAL_ALONE = {("hub", "insert"), ("hub", "delete"), ("organisation", "delete"), ("region", "delete")}

# The service's rights, no more than it uses. What makes a hub itself (slug, area code, origin) it cannot change at all.
READS = (*PUBLIC, "data_version", "instance_secret", "alembic_version")
WRITES = {
    "hub": "insert, update (name, sort_name, frontrunner_role, frontrunner_id, contact, website, version, updated_at)",
    "organisation": ("insert, update (name, sort_name, type, side, strand, workfield, website, version, updated_at)"),
    "region": "insert, update (valid_from, valid_to)",
    **dict.fromkeys(PARTS_OF_HUB, "insert, update, delete"),
    **dict.fromkeys(("organisation_region", "region_period", "membership"), "insert, delete"),
    "idempotency": "select, insert, delete",
}


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    _tables()
    _data_version()
    _row_security()
    configuration = op.get_context().config
    assert configuration is not None
    _grants(configuration.attributes["service_role"])


def _data_version() -> None:
    op.execute("insert into data_version values (1, 1)")
    op.execute("""
        create function raise_data_version() returns trigger language plpgsql security definer
        set search_path = public, pg_temp as $$
        begin
            update data_version set version = version + 1;
            return null;
        end $$
    """)
    for table in PUBLIC:
        op.execute(
            f"create trigger raise_data_version after insert or update or delete or truncate on {table} "
            "for each statement execute function raise_data_version()"
        )
    # Two random UUIDs are 244 random bits: enough for a key, and there without an extension.
    op.execute("""
        insert into instance_secret
        select 'cursor', sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'))
    """)


def _row_security() -> None:
    for table in (*WRITERS, "client", "idempotency"):
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
    for table, own in WRITERS.items():
        op.execute(f"create policy reading on {table} for select using (true)")
        for name, what in (("adding", "insert"), ("changing", "update"), ("removing", "delete")):
            who = NATIONAL if (table, what) in NATIONAL_ALONE else f"{NATIONAL} or {own}"
            using = "" if what == "insert" else f"using ({who})"
            check = "" if what == "delete" else f"with check ({who})"
            op.execute(f"create policy {name} on {table} for {what} {using} {check}")
    op.execute(f"create policy own on idempotency using ({OWN_CLIENT}) with check ({OWN_CLIENT})")
    for table in ("client", "idempotency"):
        op.execute(f"create policy owner on {table} to current_user using (true) with check (true)")
    _functions()


def _functions() -> None:
    """What the service may do with rows that it may not see: they run as the owner."""
    as_owner = "security definer set search_path = public, pg_temp"
    # Whoever has a token learns whose it is; nobody can list the hashes.
    op.execute(f"""
        create function client_of(hash bytea) returns table (
            id uuid, role text, hub text, umbrella text, expires_at timestamptz, revoked_at timestamptz,
            last_used_at timestamptz
        ) language sql stable {as_owner} as $$
            select c.id, c.role, h.slug, c.umbrella, c.expires_at, c.revoked_at, c.last_used_at
            from client c left join hub h on h.id = c.hub_id where c.token_hash = hash
        $$
    """)
    op.execute(f"""
        create function client_used(client_id uuid) returns void language sql {as_owner} as $$
            update client set last_used_at = now() where id = client_id
        $$
    """)
    op.execute(f"""
        create function purge_idempotency() returns void language sql {as_owner} as $$
            delete from idempotency where created_at < now() - interval '24 hours'
        $$
    """)


FUNCTIONS = ("client_of(bytea)", "client_used(uuid)", "purge_idempotency()")


def _grants(service: str) -> None:
    role = '"' + service.replace('"', '""') + '"'
    # Whoever makes the role may become it: with one address for owner and service, the service takes it on (`set role`).
    op.execute(f"""
        do $do$ begin
            if not exists (select from pg_roles where rolname = $r${service}$r$) then
                create role {role} nologin nobypassrls;
                grant {role} to current_user;
            end if;
        end $do$
    """)
    op.execute("revoke create on schema public from public")
    op.execute(f"grant usage on schema public to {role}")
    op.execute(f"grant select on {', '.join(READS)} to {role}")
    for table, rights in WRITES.items():
        op.execute(f"grant {rights} on {table} to {role}")
    op.execute(f"grant usage on sequence hub_id_seq, region_id_seq to {role}")
    op.execute(f"revoke execute on function {', '.join(FUNCTIONS)} from public")
    op.execute(f"grant execute on function {', '.join(FUNCTIONS)} to {role}")


def _tables() -> None:
    op.create_table(
        "data_version",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_data_version_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_version")),
    )
    op.create_table(
        "dataset",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("edition", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset")),
    )
    op.create_table(
        "hub",
        sa.Column("id", sa.SmallInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sort_name", sa.Text(collation="C"), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("frontrunner_role", sa.Text(), nullable=True),
        sa.Column("frontrunner_id", sa.SmallInteger(), nullable=True),
        sa.Column("hosts_relation", sa.Text(), nullable=True),
        sa.Column(
            "challenges", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False
        ),
        sa.Column("contact", sa.Text(), nullable=True),
        sa.Column("website", sa.Text(), nullable=True),
        sa.Column("area_code", sa.Text(), nullable=False),
        sa.Column("published", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("demonstration", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["frontrunner_id"], ["hub.id"], name=op.f("fk_hub_frontrunner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hub")),
        sa.UniqueConstraint("area_code", name=op.f("uq_hub_area_code")),
        sa.UniqueConstraint("slug", name=op.f("uq_hub_slug")),
    )
    op.create_index("ix_hub_sort_name", "hub", ["sort_name", "slug"], unique=False)
    op.create_table(
        "imported_edition",
        sa.Column("year", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("year", name=op.f("pk_imported_edition")),
    )
    op.create_table(
        "instance_secret",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_instance_secret")),
    )
    op.create_table(
        "organisation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sort_name", sa.Text(collation="C"), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("strand", sa.Text(), nullable=True),
        sa.Column("workfield", sa.Text(), nullable=True),
        sa.Column("website", sa.Text(), nullable=True),
        sa.Column("basis", sa.Text(), nullable=True),
        sa.Column("source_key", sa.Text(), nullable=True),
        sa.Column("demonstration", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_by_hub", sa.SmallInteger(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation")),
        sa.UniqueConstraint("source_key", name=op.f("uq_organisation_source_key")),
    )
    op.create_index("ix_organisation_sort_name", "organisation", ["sort_name", "id"], unique=False)
    op.create_table(
        "scheme",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("name_nl", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("description_nl", sa.Text(), nullable=False),
        sa.Column("description_en", sa.Text(), nullable=False),
        sa.Column("code_prefix", sa.Text(), nullable=False),
        sa.Column("partition", sa.Boolean(), nullable=False),
        sa.Column("assumed_shares", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_scheme")),
    )
    op.create_table(
        "term",
        sa.Column("vocabulary", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.Column("label_nl", sa.Text(), nullable=False),
        sa.Column("label_en", sa.Text(), nullable=False),
        sa.Column("description_nl", sa.Text(), nullable=False),
        sa.Column("description_en", sa.Text(), nullable=False),
        sa.Column("example_nl", sa.Text(), nullable=True),
        sa.Column("example_en", sa.Text(), nullable=True),
        sa.Column("workfields", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("side", sa.Text(), nullable=True),
        sa.Column("organised", sa.Boolean(), nullable=True),
        sa.Column("under_represented", sa.Boolean(), nullable=True),
        sa.Column("nearest_role", sa.Text(), nullable=True),
        sa.Column("basis", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("vocabulary", "code", name=op.f("pk_term")),
    )
    op.create_table(
        "client",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("hub_id", sa.SmallInteger(), nullable=True),
        sa.Column("umbrella", sa.Text(), nullable=True),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["hub_id"], ["hub.id"], name=op.f("fk_client_hub_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_client_token_hash")),
    )
    op.create_table(
        "edition",
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("licence", sa.Text(), nullable=False),
        sa.Column("remark", sa.Text(), nullable=False),
        sa.Column("region_count", sa.Integer(), nullable=False),
        sa.Column("municipality_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["scheme"], ["scheme.code"], name=op.f("fk_edition_scheme")),
        sa.PrimaryKeyConstraint("scheme", "year", name=op.f("pk_edition")),
    )
    op.create_table(
        "hub_area",
        sa.Column("hub_id", sa.SmallInteger(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("regions", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("plus", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("minus", sa.ARRAY(sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["hub_id"], ["hub.id"], name=op.f("fk_hub_area_hub_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("hub_id", "valid_from", name=op.f("pk_hub_area")),
    )
    op.create_table(
        "hub_host",
        sa.Column("hub_id", sa.SmallInteger(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["hub_id"], ["hub.id"], name=op.f("fk_hub_host_hub_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_hub_host_organisation_id")),
        sa.PrimaryKeyConstraint("hub_id", "organisation_id", name=op.f("pk_hub_host")),
    )
    op.create_table(
        "hub_member",
        sa.Column("hub_id", sa.SmallInteger(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("strand", sa.Text(), nullable=True),
        sa.Column("since", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["hub_id"], ["hub.id"], name=op.f("fk_hub_member_hub_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_hub_member_organisation_id")),
        sa.PrimaryKeyConstraint("hub_id", "organisation_id", name=op.f("pk_hub_member")),
    )
    op.create_table(
        "hub_phase",
        sa.Column("hub_id", sa.SmallInteger(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["hub_id"], ["hub.id"], name=op.f("fk_hub_phase_hub_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("hub_id", "phase", name=op.f("pk_hub_phase")),
    )
    op.create_table(
        "hub_steering",
        sa.Column("hub_id", sa.SmallInteger(), nullable=False),
        sa.Column("workfield", sa.Text(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["hub_id"], ["hub.id"], name=op.f("fk_hub_steering_hub_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_hub_steering_organisation_id")),
        sa.PrimaryKeyConstraint("hub_id", "workfield", "organisation_id", name=op.f("pk_hub_steering")),
    )
    op.create_table(
        "region",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["scheme"], ["scheme.code"], name=op.f("fk_region_scheme")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_region")),
        sa.UniqueConstraint("code", name=op.f("uq_region_code")),
    )
    op.create_table(
        "idempotency",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.id"], name=op.f("fk_idempotency_client_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("client_id", "key", name=op.f("pk_idempotency")),
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"], unique=False)
    op.create_table(
        "membership",
        sa.Column("region_id", sa.Integer(), nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("population", sa.Integer(), nullable=True),
        sa.CheckConstraint("share > 0 and share <= 1", name=op.f("ck_membership_share")),
        sa.ForeignKeyConstraint(["municipality_id"], ["region.id"], name=op.f("fk_membership_municipality_id")),
        sa.ForeignKeyConstraint(["region_id"], ["region.id"], name=op.f("fk_membership_region_id")),
        sa.PrimaryKeyConstraint("region_id", "municipality_id", "valid_from", name=op.f("pk_membership")),
    )
    op.create_index("ix_membership_municipality", "membership", ["municipality_id", "scheme"], unique=False)
    op.create_table(
        "organisation_region",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("region_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_organisation_region_organisation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["region_id"], ["region.id"], name=op.f("fk_organisation_region_region_id")),
        sa.PrimaryKeyConstraint("organisation_id", "region_id", name=op.f("pk_organisation_region")),
    )
    op.create_table(
        "postcode",
        sa.Column("pc4", sa.Text(), nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("area_share", sa.Double(), nullable=False),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("search", sa.Text(), nullable=True),
        sa.Column("population", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["municipality_id"], ["region.id"], name=op.f("fk_postcode_municipality_id")),
        sa.PrimaryKeyConstraint("pc4", "municipality_id", name=op.f("pk_postcode")),
    )
    op.create_index(
        "ix_postcode_search", "postcode", ["search"], unique=False, postgresql_ops={"search": "text_pattern_ops"}
    )
    op.create_table(
        "region_period",
        sa.Column("region_id", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sort_name", sa.Text(collation="C"), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("edition", sa.SmallInteger(), nullable=False),
        sa.Column("municipality_count", sa.Integer(), nullable=False),
        sa.Column("population", sa.Integer(), nullable=True),
        sa.Column("population_date", sa.Date(), nullable=True),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("population_weight", sa.Double(), nullable=True),
        sa.Column("region_from", sa.Date(), nullable=False),
        sa.Column("region_to", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["region_id"], ["region.id"], name=op.f("fk_region_period_region_id")),
        sa.PrimaryKeyConstraint("region_id", "valid_from", name=op.f("pk_region_period")),
    )
    op.create_index("ix_region_period_code", "region_period", ["code", "valid_from"], unique=False)
    op.create_index("ix_region_period_name", "region_period", ["sort_name", "code"], unique=False)
    op.create_index("ix_region_period_scheme", "region_period", ["scheme", "sort_name", "code"], unique=False)
    op.create_table(
        "succession",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("on_date", sa.Date(), nullable=False),
        sa.Column("predecessor_id", sa.Integer(), nullable=False),
        sa.Column("predecessor_name", sa.Text(), nullable=False),
        sa.Column("successor_id", sa.Integer(), nullable=False),
        sa.Column("successor_name", sa.Text(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["predecessor_id"], ["region.id"], name=op.f("fk_succession_predecessor_id")),
        sa.ForeignKeyConstraint(["successor_id"], ["region.id"], name=op.f("fk_succession_successor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_succession")),
    )
    op.create_index("ix_succession_predecessor", "succession", ["predecessor_id"], unique=False)
    op.create_index("ix_succession_successor", "succession", ["successor_id"], unique=False)


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("set local statement_timeout = '10min'")
    for function in FUNCTIONS:
        op.execute(f"drop function {function}")
    op.drop_index("ix_succession_successor", table_name="succession")
    op.drop_index("ix_succession_predecessor", table_name="succession")
    op.drop_table("succession")
    op.drop_index("ix_region_period_scheme", table_name="region_period")
    op.drop_index("ix_region_period_name", table_name="region_period")
    op.drop_index("ix_region_period_code", table_name="region_period")
    op.drop_table("region_period")
    op.drop_index("ix_postcode_search", table_name="postcode", postgresql_ops={"search": "text_pattern_ops"})
    op.drop_table("postcode")
    op.drop_table("organisation_region")
    op.drop_index("ix_membership_municipality", table_name="membership")
    op.drop_table("membership")
    op.drop_index("ix_idempotency_created_at", table_name="idempotency")
    op.drop_table("idempotency")
    op.drop_table("region")
    op.drop_table("hub_steering")
    op.drop_table("hub_phase")
    op.drop_table("hub_member")
    op.drop_table("hub_host")
    op.drop_table("hub_area")
    op.drop_table("edition")
    op.drop_table("client")
    op.drop_table("term")
    op.drop_table("scheme")
    op.drop_index("ix_organisation_sort_name", table_name="organisation")
    op.drop_table("organisation")
    op.drop_table("instance_secret")
    op.drop_table("imported_edition")
    op.drop_index("ix_hub_sort_name", table_name="hub")
    op.drop_table("hub")
    op.drop_table("dataset")
    op.drop_table("data_version")
    op.execute("drop function raise_data_version()")
