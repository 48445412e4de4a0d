#!/usr/bin/env bash
# MongoDB.Driver 3.14.0 (NuGet): Builders<RawBsonDocument>.Filter.In("_id", texts), rendered without a server.
#
# RawBsonDocument is the type one takes to be fast: documents stay bytes until a field is asked for.
# Expected: a filter of texts costs what it costs with BsonDocument.
# Seen: the same filter; but for each text the driver throws an InvalidCastException and catches it, as it tries System.Convert from String
# to BsonValue: 1,000 ids are 1,000 exceptions. With BsonDocument, a typed document, or a filter that is built by hand there are none.
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
using MongoDB.Driver;

string[] ids = [.. Enumerable.Range(0, 1_000).Select(i => $"customer-{i}")];
int thrown = 0;
AppDomain.CurrentDomain.FirstChanceException += (_, _) => Interlocked.Increment(ref thrown);
string raw = Count("raw", Builders<RawBsonDocument>.Filter.In("_id", ids));
string bson = Count("bson", Builders<BsonDocument>.Filter.In("_id", ids));
string typed = Count("typed", Builders<Customer>.Filter.In(c => c.Id, ids));
string byHand = Count("by hand", (FilterDefinition<BsonDocument>)new BsonDocument("_id", new BsonDocument("$in", new BsonArray(ids))));
Console.WriteLine($"the same filter: {raw == bson && bson == typed && typed == byHand}");

string Count<T>(string what, FilterDefinition<T> filter)
{
    int before = thrown;
    BsonDocument rendered = filter.Render(new RenderArgs<T>(BsonSerializer.LookupSerializer<T>(), BsonSerializer.SerializerRegistry));
    Console.WriteLine($"{what}: {thrown - before} exceptions");
    return rendered.ToJson();
}

internal sealed record Customer(string Id);
CS
dotnet run > seen
cat seen
diff - seen <<'SEEN'
raw: 1000 exceptions
bson: 0 exceptions
typed: 0 exceptions
by hand: 0 exceptions
the same filter: True
SEEN
