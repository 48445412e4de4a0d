#!/usr/bin/env bash
# MongoDB.Driver 3.14.0 (NuGet), ranges and equality of values that are not stored as numbers, rendered without a server.
#
# Expected: a TimeSpan, whose representation nobody chose, is stored as a number; a range over what cannot be ordered as it is stored is
# refused, as arithmetic with it is ("uses a non-numeric representation").
# Seen: a TimeSpan is text by default, as is a Version; so is an enum or a number that one gave BsonRepresentation(BsonType.String). A range
# over any of them is sent and compares letters: 9 days are more than 10, version 1.9 is above 1.10, 9 above 10, and states are ordered by
# name. A DateTimeOffset is a document with its offset: the same instant in another time zone is not equal to it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > finding.csproj <<'XML'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup><PackageReference Include="MongoDB.Driver" Version="[3.14.0]" /></ItemGroup>
</Project>
XML
cat > Program.cs <<'CS'
using MongoDB.Bson;
using MongoDB.Bson.Serialization;
using MongoDB.Bson.Serialization.Attributes;
using MongoDB.Driver;

var filter = Builders<Transfer>.Filter;
Show("more than 10 days", filter.Where(t => t.Took > TimeSpan.FromDays(10)));
Show("from version 1.10", filter.Where(t => t.Client >= new Version(1, 10)));
Show("from Open", filter.Where(t => t.State >= State.Open));
Show("more than 10 cents", filter.Where(t => t.Cents > 10));
Show("at noon in UTC", filter.Where(t => t.At == new DateTimeOffset(2026, 1, 31, 12, 0, 0, TimeSpan.Zero)));
BsonDocument stored = new Transfer("1", TimeSpan.FromDays(9), new Version(1, 9), State.Closed, 9,
    new DateTimeOffset(2026, 1, 31, 14, 0, 0, TimeSpan.FromHours(2))).ToBsonDocument();
foreach (BsonElement field in stored.Skip(1))
    Console.WriteLine($"stored: {field}");

static void Show(string what, FilterDefinition<Transfer> filter) => Console.WriteLine($"{what}: " +
    filter.Render(new RenderArgs<Transfer>(BsonSerializer.LookupSerializer<Transfer>(), BsonSerializer.SerializerRegistry)).ToJson());

internal enum State { New, Open, Closed }

internal sealed record Transfer(string Id, TimeSpan Took, Version Client, [property: BsonRepresentation(BsonType.String)] State State,
    [property: BsonRepresentation(BsonType.String)] long Cents, DateTimeOffset At);
CS
dotnet run > seen
cat seen
diff - seen <<'SEEN'
more than 10 days: { "Took" : { "$gt" : "10.00:00:00" } }
from version 1.10: { "Client" : { "$gte" : "1.10" } }
from Open: { "State" : { "$gte" : "Open" } }
more than 10 cents: { "Cents" : { "$gt" : "10" } }
at noon in UTC: { "At" : { "DateTime" : { "$date" : "2026-01-31T12:00:00Z" }, "Ticks" : 639054576000000000, "Offset" : 0 } }
stored: Took=9.00:00:00
stored: Client=1.9
stored: State=Closed
stored: Cents=9
stored: At={ "DateTime" : { "$date" : "2026-01-31T12:00:00Z" }, "Ticks" : 639054648000000000, "Offset" : 120 }
SEEN
