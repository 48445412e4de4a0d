#!/usr/bin/env bash
# MongoDB.Driver 3.14.0 (NuGet): a filter for a derived type, x => x is Closed, rendered without a server.
#
# Documents of a derived class have its name in "_t", which the driver writes by itself.
# Expected: the filter is { "_t" : "Closed" }, whatever the process did before.
# Seen: it depends on what the process did first. After a document of the type was written, or after AsQueryable().OfType, it is that. If
# any other query is the first to name the type (Find, Builders.Filter, AsQueryable with "is"), as in a process that only reads, the filter
# is { "_t" : { "$in" : [] } }, which no document matches; and so it stays for the life of the process, whichever way one asks, also after
# documents of the type were written. With BsonKnownTypes on the base class it is always right.
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
using MongoDB.Driver.Linq;

// Each argument is a step, in order; each run is a process of its own.
foreach (string step in args)
    Console.WriteLine($"  {step}: " + step switch
    {
        "is" => Render(Builders<Account>.Filter.Where(a => a is Closed)),
        "OfType" => Render(Builders<Account>.Filter.OfType<Closed>()),
        "AsQueryable is" => Queryable().Where(a => a is Closed).ToString(),
        "AsQueryable OfType" => Queryable().OfType<Closed>().ToString(),
        "is, known" => Render(Builders<Known>.Filter.Where(a => a is KnownClosed)),
        _ => new Closed { Id = "1" }.ToBsonDocument<Account>().ToJson(),
    });

static IQueryable<Account> Queryable() =>
    new MongoClient("mongodb://localhost").GetDatabase("bank").GetCollection<Account>("accounts").AsQueryable();

static string Render<T>(FilterDefinition<T> filter) =>
    filter.Render(new RenderArgs<T>(BsonSerializer.LookupSerializer<T>(), BsonSerializer.SerializerRegistry)).ToJson();

internal class Account { public string Id { get; init; } = ""; }
internal sealed class Closed : Account;
[BsonKnownTypes(typeof(KnownClosed))]
internal class Known { public string Id { get; init; } = ""; }
internal sealed class KnownClosed : Known;
CS
dotnet build -v q --nologo > build || { cat build; exit 1; }
{
    echo "written first" && dotnet run --no-build write is OfType
    echo "AsQueryable().OfType first" && dotnet run --no-build "AsQueryable OfType" is
    echo "AsQueryable with is first" && dotnet run --no-build "AsQueryable is" "AsQueryable OfType"
    echo "a filter with is first" && dotnet run --no-build is OfType write is "AsQueryable OfType"
    echo "a filter with OfType first" && dotnet run --no-build OfType is
    echo "with BsonKnownTypes" && dotnet run --no-build "is, known"
} > seen
cat seen
diff - seen <<'SEEN'
written first
  write: { "_t" : "Closed", "_id" : "1" }
  is: { "_t" : "Closed" }
  OfType: { "_t" : "Closed" }
AsQueryable().OfType first
  AsQueryable OfType: bank.accounts.Aggregate([{ "$match" : { "_t" : "Closed" } }])
  is: { "_t" : "Closed" }
AsQueryable with is first
  AsQueryable is: bank.accounts.Aggregate([{ "$match" : { "_t" : { "$in" : [] } } }])
  AsQueryable OfType: bank.accounts.Aggregate([{ "$match" : { "_t" : { "$in" : [] } } }])
a filter with is first
  is: { "_t" : { "$in" : [] } }
  OfType: { "_t" : { "$in" : [] } }
  write: { "_t" : "Closed", "_id" : "1" }
  is: { "_t" : { "$in" : [] } }
  AsQueryable OfType: bank.accounts.Aggregate([{ "$match" : { "_t" : { "$in" : [] } } }])
a filter with OfType first
  OfType: { "_t" : { "$in" : [] } }
  is: { "_t" : { "$in" : [] } }
with BsonKnownTypes
  is, known: { "_t" : "KnownClosed" }
SEEN
