using System.Xml.Linq;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary>
/// A program that is not a web application, on the package <c>KafkaEventSourcing.Hosting</c> alone: it brought ASP.NET, a command line
/// and a beta exporter to whoever only wanted a node.
/// </summary>
public sealed class WorkerTests(PackageFeed feed)
{
    private const string Project = """
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup>
            <OutputType>Exe</OutputType>
            <TargetFramework>net10.0</TargetFramework>
            <Nullable>enable</Nullable>
            <ImplicitUsings>enable</ImplicitUsings>
            <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
          </PropertyGroup>
          <ItemGroup>
            <PackageReference Include="KafkaEventSourcing.Hosting" Version="0.2.0" />
            <PackageReference Include="Microsoft.Extensions.Hosting" Version="HOST-VERSION" />
          </ItemGroup>
        </Project>
        """;

    private const string Code = """
        using Counter;
        using KafkaEventSourcing;
        using KafkaEventSourcing.Hosting;
        using Microsoft.Extensions.DependencyInjection;
        using Microsoft.Extensions.Hosting;

        AggregateDefinition<CounterState> counter = AggregateDefinition
            .Define("counter", new CounterState { Total = 0 })
            .Decides<Count>((_, count) => Decision.Accept(new Counted { By = count.By }))
            .Evolves<Counted>((state, counted) => state with { Total = state.Total + counted.By })
            .Build();
        HostApplicationBuilder builder = Host.CreateApplicationBuilder(args);
        builder.Services.AddKafkaEventSourcing(args[0], builder.Configuration.GetSection("KafkaEventSourcing")).AddAggregate(counter);
        using IHost host = builder.Build();
        await host.StartAsync();
        IAggregateClient<CounterState> counters = host.Services.GetRequiredService<IAggregateClient<CounterState>>();
        CommandResult result = await counters.SendAsync(AggregateId.Parse("visits"), new Count { By = 2 });
        Console.WriteLine($"{result.GetType().Name}, {(await counters.ReadAsync(AggregateId.Parse("visits")))?.State.Total} in all");
        await host.StopAsync();
        """;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Worker_on_the_package_hosting_decides_and_reads_without_aspnet()
    {
        string folder = feed.NewFolder("Worker");
        string schemas = Path.Combine(Programs.Root, "samples", "Counter", "schemas");
        foreach (string schema in Directory.GetFiles(schemas, "*.avsc"))
            File.Copy(schema, Path.Combine(folder, Path.GetFileName(schema)));
        await File.WriteAllTextAsync(Path.Combine(folder, "Worker.csproj"),
            Project.Replace("HOST-VERSION", VersionOfHost(), StringComparison.Ordinal), Cancellation);
        await File.WriteAllTextAsync(Path.Combine(folder, "Program.cs"), Code, Cancellation);
        await feed.Dotnet(Cancellation, "build", "-c", "Release", folder);
        string output = Path.Combine(folder, "bin", "Release", "net10.0");
        (await File.ReadAllTextAsync(Path.Combine(output, "Worker.runtimeconfig.json"), Cancellation)).ShouldNotContain(
            "Microsoft.AspNetCore.App");

        await using TestServers servers = await ServersOrSkip.Start(Cancellation);
        ProgramRun run = await ProgramRun.FinishAsync(
            "dotnet", [Path.Combine(output, "Worker.dll"), TestServers.UniqueName("worker")],
            new Dictionary<string, string>
            {
                ["KafkaEventSourcing__Kafka"] = servers.Addresses.Kafka!,
                ["KafkaEventSourcing__SchemaRegistry"] = servers.Addresses.Registry!,
                ["KafkaEventSourcing__DataDirectory"] = Path.Combine(folder, "data"),
                ["KafkaEventSourcing__WaitForStart"] = "true",
            },
            Cancellation);
        run.ExitCode.ShouldBe(0, run.Output);
        run.Output.ShouldContain("Accepted, 2 in all");
    }

    private static string VersionOfHost() => XDocument.Load(Path.Combine(Programs.Root, "Directory.Packages.props"))
        .Descendants("PackageVersion")
        .Single(p => p.Attribute("Include")?.Value == "Microsoft.Extensions.Hosting.Abstractions")
        .Attribute("Version")!.Value;
}
